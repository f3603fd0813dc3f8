package tigase_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/componenttest"
	"rouse/component/p2"
	"rouse/component/tigase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	us     = "push.example.org"
	siskin = "tigase:messenger:apns:1"
)

// echo gives what it was asked for as the node, and knows one device.
type echo struct {
	err   error
	asked *[]tigase.Request
}

func (echo) Register(_ context.Context, r tigase.Request) (string, error) {
	return strings.Join([]string{r.Account, r.Provider, r.Token, r.Calls, r.Device}, " "), nil
}

func (e echo) Unregister(_ context.Context, r tigase.Request) (bool, error) {
	if e.asked != nil {
		*e.asked = append(*e.asked, r)
	}
	return r.Device == p2.Device("juliet@example.org", "00ff"), e.err
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c, err := component.New(component.Config{
			JID: jid.MustParse(us), Addresses: []string{s.Address()},
			Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		adhoc.Handle(c, slog.New(slog.DiscardHandler), tigase.Commands(echo{}, siskin, "snikket:apns:1")...)
		return s.Start(t, c)
	})
}

func TestNoProviderNoCommands(t *testing.T) {
	if list := tigase.Commands(echo{}); len(list) != 0 {
		t.Errorf("offered %d commands", len(list))
	}
}

// post asks as Siskin does when an account was removed.
func post(t *testing.T, r tigase.Registrar, path, body string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, p := range tigase.Patterns(us) {
		mux.Handle(p, tigase.Handler(r, slog.New(slog.DiscardHandler), siskin))
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
	got, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, strings.TrimSpace(string(got))
}

func TestUnregisterByHTTP(t *testing.T) {
	const right = `{"account":"juliet@example.org/siskin","provider":"` + siskin + `","device-token":"00FF"}`
	for _, path := range []string{"/rest/push/unregister-device/" + us, "/unregister-device/" + us} {
		var asked []tigase.Request
		if code, body := post(t, echo{asked: &asked}, path, right); code != 200 || body != `{"result":"success"}` {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if len(asked) != 1 || asked[0].Account != "juliet@example.org" || asked[0].Device != p2.Device("juliet@example.org", "00ff") {
			t.Errorf("%s: asked %+v", path, asked)
		}
	}
	const path = "/unregister-device/" + us
	if code, body := post(t, echo{}, path, strings.Replace(right, "juliet", "nurse", 1)); code != 200 || body != `{"result":"success"}` {
		t.Errorf("an unknown device: %d %s", code, body) // nobody learns who has which
	}
	for name, body := range map[string]string{
		"no JSON":    "account=juliet",
		"no account": strings.Replace(right, "juliet@example.org/siskin", "", 1),
		"a domain":   strings.Replace(right, "juliet@", "", 1),
		"provider":   strings.Replace(right, siskin, "other", 1),
		"no token":   strings.Replace(right, "00FF", "", 1),
		"endless":    `{"account":"` + strings.Repeat("a", 1<<20),
	} {
		if code, got := post(t, echo{}, path, body); code != 400 || !strings.Contains(got, `"result":"failure"`) {
			t.Errorf("%s: %d %s", name, code, got)
		}
	}
	if code, _ := post(t, echo{err: errors.New("the store is away")}, path, right); code != 503 {
		t.Errorf("store away: %d", code)
	}
	if code, _ := post(t, echo{}, "/unregister-device/other.example", right); code != 404 {
		t.Errorf("another service: %d", code)
	}
}

func FuzzHTTP(f *testing.F) {
	f.Add(`{"account":"juliet@example.org","provider":"` + siskin + `","device-token":"00FF"}`)
	f.Add(`{"account":"@","provider":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		if code, _ := post(t, echo{}, "/unregister-device/"+us, body); code != 200 && code != 400 {
			t.Errorf("%q: %d", body, code)
		}
	})
}
