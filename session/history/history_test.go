package history

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rouse/session"
)

func TestALine(t *testing.T) {
	f, err := Parse("f", "# who\n\n+2s phone hibernated out=9 acked=7 unread=call@8@s:c unread=message@9 => a2 wake phone; - \n")
	if err != nil {
		t.Fatal(err)
	}
	s := f.Steps[0]
	if len(f.Steps) != 1 || s.Line != 3 || s.Pause != 2*time.Second || !s.Checked || len(s.Wants) != 2 {
		t.Errorf("%+v", f.Steps)
	}
	e := s.Event
	if e.Kind != session.Hibernate || e.Session != "phone" || e.Out != 9 || e.Acked != 7 || len(e.Unread) != 2 {
		t.Errorf("%+v", e)
	}
	if want := (session.Unread{Class: session.Call, Last: 8, Count: 1, Key: "s:c"}); e.Unread[0] != want {
		t.Errorf("unread %+v, want %+v", e.Unread[0], want)
	}
}

func TestAProvider(t *testing.T) {
	f, err := Parse("f", "provider phone again=30s takes=1s again gave-up died sent takes=2s")
	if err != nil {
		t.Fatal(err)
	}
	want := []Answer{{session.Again, time.Second, 30 * time.Second}, {session.Again, 0, 5 * time.Second}, {session.GaveUp, 0, 0}, {session.Died, 0, 0}, {session.Sent, 2 * time.Second, 0}}
	got := f.Steps[0].Answers
	if got.Device != "phone" || len(got.List) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got.List[i] != want[i] {
			t.Errorf("answer %d: %+v, want %+v", i, got.List[i], want[i])
		}
	}
}

func TestAnArchive(t *testing.T) {
	f, err := Parse("f", "for people\n-- rouse.toml --\n[rules]\n-- history --\nphone bind\n")
	if err != nil {
		t.Fatal(err)
	}
	if f.Config != "\n\n[rules]\n" || len(f.Steps) != 1 || f.Steps[0].Line != 5 {
		t.Errorf("%+v", f)
	}
}

var mistakes = map[string]string{
	"":                                    "f:1: nothing happens in it",
	"phone":                               `f:1: what happens to "phone"?`,
	"phone bind\nphone snores":            `f:2: there is no event "snores"`,
	"phone answered":                      `f:1: there is no event "answered"`,
	"account publish message":             "f:1: which device is it about?",
	"phone csi":                           "f:1: which state is it?",
	"phone queued out=many":               `f:1: "many" is not a number`,
	"phone queued out=":                   `f:1: "out=" has no value`,
	"phone queued loud":                   `f:1: what is "loud"?`,
	"phone queued loud=1":                 `f:1: what is "loud=1"?`,
	"phone hibernated unread=message":     "f:1: unread=message does not say which stanza it was",
	"phone hibernated unread=massage@1":   `f:1: unknown class "massage"`,
	"+soon phone bind":                    `f:1: "+soon" is not a time that can pass`,
	"+9999999h phone bind":                `f:1: "+9999999h" is not a time that can pass`,
	"2026-13-01T00:00:00Z phone bind":     `f:1: "2026-13-01T00:00:00Z" is not a time`,
	"provider phone":                      "f:1: which device's provider answers what?",
	"provider phone takes=1s":             `f:1: a provider does not answer "takes=1s"`,
	"provider phone again=-1s":            `f:1: "-1s" is not a duration`,
	"phone bind => ; b wake":              "f:1: something is missing behind =>",
	"=> b wake phone":                     "f:1: nothing happens before =>",
	"-- story --\nphone bind":             `f:1: there is no section "story"`,
	"-- history --\n-- history --\nphone": `f:2: a second section "history"`,
}

func TestMistakes(t *testing.T) {
	for text, want := range mistakes {
		_, err := Parse("f", text)
		var at *Error
		if !errors.As(err, &at) || at.Error() != want {
			t.Errorf("%q\n got  %v\n want %s", text, err, want)
		}
	}
}

// FuzzParse: whatever stands in a file, an error has a place in it, and what is
// read can be played.
func FuzzParse(f *testing.F) {
	for text := range mistakes {
		f.Add(text)
	}
	f.Add("for people\n-- rouse.toml --\n[rules]\n-- history --\n+2s phone hibernated out=9 unread=call@8@s:c => a2 wake phone\nprovider phone again=30s takes=1s sent\n")
	f.Add("2026-11-25T08:00:00+01:00 account call i:c heard=desk node=x service=y published=z count=2 resource=r reason=s")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f", text)
		lines := strings.Count(text, "\n") + 1
		var at *Error
		switch {
		case err != nil && (!errors.As(err, &at) || at.Line < 1 || at.Line > lines || at.Text == ""):
			t.Errorf("%v", err)
		case err == nil && len(file.Steps) == 0:
			t.Error("nothing, and no error")
		}
		if err != nil {
			return
		}
		for _, s := range file.Steps {
			if s.Pause < 0 || s.Event != nil && (s.Event.Kind == "" || s.Answers != nil) {
				t.Errorf("%+v", s)
			}
		}
	})
}
