package timeline_test

import (
	"bytes"
	"testing"
	"time"

	"rouse/business"
	"rouse/business/simulate"
	"rouse/business/timeline"
	"rouse/session"
	"rouse/session/history"
)

// story has one phone that sleeps, one that is logged out, and a desk in use.
const story = `
desk bind
desk enable
phone bind
phone enable
account archived message s:0
old bind
old enable
old ended
account archived message s:1
phone delayed out=5 acked=4 unread=message@5@s:1
+1s phone hibernated out=5 acked=4 unread=message@5@s:1
+1s phone queued message s:2 out=6
+1s phone queued message i:x out=5
account offline message s:3
+1m
phone resumed active acked=6
phone late group s:4 out=7
account archived nothing s:5
+1s late bind
late enable
`

// TestStanza: of each stanza it is told, for each device, what it came to.
func TestStanza(t *testing.T) {
	h, err := history.Parse("story", story)
	if err != nil {
		t.Fatal(err)
	}
	p := business.DefaultPolicy()
	p.Service = "push.example.org"
	r, err := simulate.Play(h.Steps, p)
	if err != nil {
		t.Fatal(err)
	}
	var devices []session.Address
	for _, node := range []string{"desk", "phone", "old", "late"} {
		devices = append(devices, session.Address{Service: p.Service, Node: node})
	}
	for id, want := range map[string]string{
		"0": `
  desk   not woken (rule b): its session is active
  phone  not woken (rule b): its session is active; for what was unread later, a wake of 12:00:00; 12:00:00 sent: the provider took it
  old    not asked: it had not enabled push then
  late   not asked: it had not enabled push then
`,
		"1": `
  desk   not woken (rule b): its session is active
  phone  woken (rule a1) at 12:00:00; 12:00:00 sent: the provider took it
  old    woken (rule b) at 12:00:00; 12:00:00 sent: the provider took it
  late   not asked: it had not enabled push then
`,
		"2": `
  desk   not asked: the rule is about the devices of session phone
  phone  woken (rule a3) at 12:00:02; 12:00:05 sent: the provider took it, 3s after the decision
  old    not asked: the rule is about the devices of session phone
  late   not asked: the rule is about the devices of session phone
`,
		"3": `
  desk   woken (rule c) at 12:00:03; 12:00:03 sent: the provider took it
  phone  merged (rule c): joins a wake that is still to be sent; its wake is of 12:00:02; 12:00:05 sent: the provider took it, 3s after the decision
  old    woken (rule c) at 12:00:03; 12:00:05 sent: the provider took it, 2s after the decision
  late   not asked: it had not enabled push then
`,
		"5": `
  desk   not woken (rule b): nothing that is worth a wake
  phone  not woken (rule b): nothing that is worth a wake
  old    not woken (rule b): nothing that is worth a wake
  late   not woken (rule b): nothing that is worth a wake
`,
	} {
		var out bytes.Buffer
		w := timeline.Writer{Out: &out, Zone: time.UTC, Named: func(a session.Address) string { return a.Node }}
		about, fates := timeline.Stanza(timeline.Of(r.Reasons), id, devices)
		if len(about) == 0 {
			t.Errorf("stanza %s is not on record", id)
		}
		if err := w.Fates(fates); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != want {
			t.Errorf("stanza %s:%s\nwant%s", id, got, want)
		}
	}
	if about, _ := timeline.Stanza(timeline.Of(r.Reasons), "6", devices); about != nil {
		t.Errorf("of a stanza that never came: %+v", about)
	}
}
