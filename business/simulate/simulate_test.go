package simulate

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"rouse/business"
	"rouse/business/timeline"
	"rouse/session"
	"rouse/session/history"
)

func play(t *testing.T, text string) Result {
	t.Helper()
	f, err := history.Parse("h", text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Play(f.Steps, business.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Play(f.Steps, business.DefaultPolicy())
	if err != nil || !reflect.DeepEqual(r, again) {
		t.Errorf("played twice, it ends otherwise: %v", err)
	}
	return r
}

const asleep = "phone enable\nphone hibernated\n"

var histories = map[string]string{
	"a wake is sent at once":            "phone queued message i:1 out=1 => a3 wake phone message at once\n+1s => -",
	"what comes meanwhile is sent once": "phone queued message i:1\n+1s phone queued message i:2 => wake phone in 4s\nphone queued message i:3 => merged\n+3s => -\n+1s => a3 sent phone message",
	"a provider has to be asked again":  "provider phone again=30s sent\nphone queued message i:1\n+29s => -\n+1s => sent phone",
	"what comes while it is being sent": "provider phone sent takes=2s\nphone queued message i:1\n+1s phone queued message i:2 => merged\n+1s => sent phone message; merged phone message\n+1m => sent phone",
	"a wake that is not needed":         "provider phone again=1h\nphone queued message i:1\n+1s phone resumed active => a4 withdraw phone message\n+2h => -",
	"a call that came too late":         "provider phone gave-up\naccount call s:c => b' wake phone call\n+1s => -",
	"a device that is dead":             "provider phone died\nphone queued message i:1 out=1\n+1s phone queued message i:2 out=2 => a3 dead phone\naccount renew node=phone => quiet phone\n+1s phone queued message i:3 out=3 => wake phone",
	"a third party's":                   "account enable node=there service=push.example.com => quiet there\naccount offline message s:9 => c wake there; c wake phone",
}

func TestHistories(t *testing.T) {
	for name, text := range histories {
		t.Run(name, func(t *testing.T) {
			for _, m := range play(t, asleep+text).Misses {
				t.Errorf("line %d\n got  %s\n want %s", m.Line, m.Got, m.Want)
			}
		})
	}
}

// TestMiss: what is wanted and not decided is told, with its line.
func TestMiss(t *testing.T) {
	for _, want := range []string{"-", "a2 wake phone", "phone a3", "a3 wake phone; a3 wake desk", "a3 wake phone message in 4s"} {
		r := play(t, asleep+"phone queued message i:1 out=1 => "+want)
		if len(r.Misses) != 1 || r.Misses[0] != (Miss{3, "a3 wake phone message at once", want}) {
			t.Errorf("%s: %+v", want, r.Misses)
		}
	}
}

func TestBackInTime(t *testing.T) {
	f, err := history.Parse("h", "2026-02-01T00:00:00Z phone bind\n2026-01-01T00:00:00Z phone enable")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Play(f.Steps, business.DefaultPolicy())
	if at := new(history.Error); !errors.As(err, &at) || at.Line != 2 {
		t.Errorf("%v", err)
	}
}

// TestEachWakeHasItsFate: in the timeline of a record each event stands once, and
// what became of a wake stands with it.
func TestEachWakeHasItsFate(t *testing.T) {
	r := play(t, asleep+"provider phone again=30s takes=1s sent\nphone queued message i:1 out=1\n+40s provider phone died\nphone queued message i:2 out=2")
	var told strings.Builder
	w := timeline.Writer{Out: &told, Zone: time.UTC, Named: func(a session.Address) string { return a.Node }}
	if err := w.Write(timeline.Of(r.Reasons)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"woken      phone  message, at once\n                            12:00:01 not sent, it is tried again: the provider is to be asked again, 1s after the decision\n                            12:00:31 sent: the provider took it, 31s after the decision\n",
		"woken      phone  message, at once\n                            12:00:40 the device is dead: the provider says that the device is gone\n",
	} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("missing:\n%s\nin:\n%s", want, told.String())
		}
	}
	// Followed, a wake's fate comes when the wake is told already.
	entries := timeline.Of(r.Reasons[len(r.Reasons)-1:])
	if len(entries) != 1 || entries[0].Event != session.Settled {
		t.Errorf("%+v", entries)
	}
}
