package unifiedpush

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	phone = target{client: jid.MustParse("juliet@example.org/Conversations.x"), application: [32]byte{1}, instance: [32]byte{2}, until: start.Add(Life)}
)

// client answers as it is told, and keeps what it got.
type client struct {
	err error
	got []stanza.Element
}

func (c *client) Request(_ context.Context, iq stanza.Element) (stanza.Element, error) {
	c.got = append(c.got, iq)
	return stanza.Element{}, c.err
}

func newTransport(t *testing.T, c Requester, now *time.Time) *Transport {
	t.Helper()
	tr, err := New(Config{
		Service: "push.example.org", Base: "https://up.example.org", Hosts: []string{"example.org"}, Key: [32]byte{7},
		Link: c, Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c, err := component.New(component.Config{
			JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
			Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		now := start
		newTransport(t, c, &now).Handle(c)
		return s.Start(t, c)
	})
}

func post(tr *Transport, token, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	tr.ServeHTTP(w, httptest.NewRequest("POST", Path+token, strings.NewReader(body)))
	return w
}

// TestPush: what is posted reaches the client byte for byte, also after a restart
// and to the last second of the address.
func TestPush(t *testing.T) {
	now := start
	token := newTransport(t, nil, &now).seal.seal(phone)
	c := &client{}
	tr := newTransport(t, c, &now)
	body := string([]byte{0, 1, 0xfe, '<', '\n'}) + strings.Repeat("x", maxBody-5)
	now = start.Add(Life - time.Second)
	if w := post(tr, token, body); w.Code != http.StatusCreated || w.Header().Get("TTL") != "0" {
		t.Fatalf("answered %d %v", w.Code, w.Header())
	}
	iq := c.got[0]
	p := iq.Child(NS, "push")
	if p == nil || iq.Get("type") != "set" || iq.Get("from") != "push.example.org" || iq.Get("to") != "juliet@example.org/Conversations.x" ||
		p.Get("application") != formatHash(phone.application) || p.Get("instance") != formatHash(phone.instance) {
		t.Fatalf("sent %+v", iq)
	}
	if got, err := base64.StdEncoding.DecodeString(p.Text); err != nil || string(got) != body {
		t.Errorf("the client got %q, %v", p.Text, err)
	}
	now = start.Add(Life)
	if w := post(tr, token, "x"); w.Code != http.StatusNotFound || len(c.got) != 1 {
		t.Errorf("after its time: %d", w.Code)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 201},
		{xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.ItemNotFound}, 404},
		{xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.FeatureNotImplemented}, 404},
		{xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.ServiceUnavailable}, 503},
		{xmpp.Error{Type: xmpp.Wait, Condition: xmpp.RecipientUnavailable}, 503},
		{xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.RemoteServerNotFound}, 503},
		{xmpp.Error{Type: xmpp.Wait, Condition: xmpp.InternalServerError}, 503},
		{xmpp.Error{Type: xmpp.Modify, Condition: xmpp.BadRequest}, 500},
		{component.ErrDisconnected, 503},
		{context.DeadlineExceeded, 503},
		{errors.New("anything else"), 503},
	} {
		now := start
		tr := newTransport(t, &client{err: tt.err}, &now)
		w := post(tr, tr.seal.seal(phone), "x")
		if w.Code != tt.want || (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: answered %d %v", tt.err, w.Code, w.Header())
		}
	}
}

func TestBadRequests(t *testing.T) {
	now := start
	c := &client{}
	tr := newTransport(t, c, &now)
	good := tr.seal.seal(phone)
	other := newTransport(t, c, &now)
	other.seal, _ = newSealer([32]byte{8})
	for name, tt := range map[string]struct {
		token, body string
		want        int
	}{
		"nothing":             {good, "", 400},
		"too much":            {good, strings.Repeat("x", maxBody+1), 413},
		"no token":            {"", "x", 404},
		"a piece of it":       {good[:len(good)-4], "x", 404},
		"another one's":       {other.seal.seal(phone), "x", 404},
		"one bit of another":  {"A" + good[1:], "x", 404},
		"not base64":          {good + "!", "x", 404},
		"longer than any":     {strings.Repeat("A", 8000), "x", 404},
		"something below it":  {good + "/x", "x", 404},
		"padded, as if equal": {good + "=", "x", 404},
	} {
		if name == "one bit of another" && good[0] == 'A' {
			tt.token = "B" + good[1:]
		}
		if w := post(tr, tt.token, tt.body); w.Code != tt.want || strings.Contains(w.Body.String(), good) {
			t.Errorf("%s: answered %d, want %d", name, w.Code, tt.want)
		}
	}
	w := httptest.NewRecorder()
	tr.ServeHTTP(w, httptest.NewRequest("PUT", Path+good, bytes.NewReader([]byte("x"))))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", w.Code)
	}
	w = httptest.NewRecorder()
	tr.ServeHTTP(w, httptest.NewRequest("GET", Path+good, nil))
	if w.Code != http.StatusOK || w.Body.String() != `{"unifiedpush":{"version":1}}`+"\n" {
		t.Errorf("GET: %d %s", w.Code, w.Body)
	}
	if len(c.got) != 0 {
		t.Errorf("the client was sent %d pushes", len(c.got))
	}
}

// TestTooManyAtOnce: clients that do not answer do not pile up here.
func TestTooManyAtOnce(t *testing.T) {
	now := start
	tr := newTransport(t, &client{}, &now)
	for range maxPushes {
		tr.slots <- struct{}{}
	}
	if w := post(tr, tr.seal.seal(phone), "x"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d", w.Code)
	}
	<-tr.slots
	if w := post(tr, tr.seal.seal(phone), "x"); w.Code != http.StatusCreated || len(tr.slots) != maxPushes-1 {
		t.Errorf("answered %d, %d under way", w.Code, len(tr.slots))
	}
}

func FuzzToken(f *testing.F) {
	s, err := newSealer([32]byte{7})
	if err != nil {
		f.Fatal(err)
	}
	good := s.seal(phone)
	f.Add(good)
	f.Add("")
	f.Add(good[:40])
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := s.open(text, start); err == nil && text != good && !got.client.Equal(phone.client) {
			t.Errorf("%q was taken", text)
		}
	})
}
