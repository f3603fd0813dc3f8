package notice

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPlan: who is told where, and by which filter.
func TestPlan(t *testing.T) {
	device := func(filters ...string) Context { return Context{Name: Device, Filters: filters} }
	chosen := func(list ...Context) Preferences { return Preferences{Contexts: list} }
	created := Notice{Source: fromDirectory, Kind: "user.created", Severity: Info, Subject: "juliet", Text: "Text.", You: "You.", People: []Person{{Name: "juliet", Address: "juliet@x"}}}
	disabled := created
	disabled.Kind, disabled.Severity = "user.disabled", Warning
	emitted := Notice{Kind: "backup.failed", Source: "host1", Severity: Error, Subject: "db", Text: "Text."}
	to := emitted
	to.To = []string{"romeo@x"}
	nowhere := disabled
	nowhere.People = []Person{{Name: "tybalt", Why: "the entry has no uid"}}
	managed := Notice{Source: fromDirectory, Kind: "cert.expiring", Severity: Warning, Subject: "web.x", Text: "Text.", Managers: []Person{{Name: "nurse", Address: "nurse@x"}}}
	home := Fixed{"exec:home", "home", Program, []string{"kind user.created"}}
	ops := Fixed{"room", "ops@muc", Room, nil}
	loud := Fixed{"room", "loud@muc", Room, []string{"all"}}
	for _, c := range []struct {
		name   string
		n      Notice
		prefer map[string]Preferences
		fixed  []Fixed
		except []string
		want   string
	}{
		{name: "administrators hear of new users, programs run", n: created, fixed: []Fixed{home, ops}, want: "chat a@x admin default Text.; chat b@x admin default Text.; exec:home home program kind user.created Text.; room ops@muc room default Text."},
		{name: "people hear what concerns them", n: disabled, want: "chat juliet@x you default You.; chat a@x admin default Text.; chat b@x admin default Text."},
		{name: "an administrator is told as the person", n: func() Notice { n := disabled; n.People = []Person{{Name: "a", Address: "a@x"}}; return n }(), want: "chat a@x you default You.; chat b@x admin default Text."},
		{name: "off is off", n: disabled, prefer: map[string]Preferences{"juliet@x": chosen(Context{Name: Chat, Off: true}), "a@x": chosen(Context{Name: Chat, Off: true})}, want: "chat b@x admin default Text."},
		{name: "in both contexts", n: disabled, prefer: map[string]Preferences{"juliet@x": chosen(device("severity warning"))}, want: "chat juliet@x you default You.; device juliet@x you severity warning You.; chat a@x admin default Text.; chat b@x admin default Text."},
		{name: "filters are ORed, the first counts", n: disabled, prefer: map[string]Preferences{"juliet@x": chosen(Context{Name: Chat, Filters: []string{"kind group.*", "mine, severity warning", "all"}}, Context{Name: Device, Off: true})},
			want: "chat juliet@x you mine, severity warning You.; chat a@x admin default Text.; chat b@x admin default Text."},
		{name: "people may want more than the default", n: created, prefer: map[string]Preferences{"juliet@x": chosen(Context{Name: Chat, Filters: []string{"mine"}})},
			want: "chat juliet@x you mine You.; chat a@x admin default Text.; chat b@x admin default Text."},
		{name: "and administrators less", n: created, prefer: map[string]Preferences{"a@x": chosen(Context{Name: Chat, Filters: []string{"severity error"}})}, want: "chat b@x admin default Text."},
		{name: "a filter that cannot be read matches nothing", n: created, prefer: map[string]Preferences{"a@x": chosen(Context{Name: Chat, Filters: []string{"gone", "kind user.*"}}), "b@x": chosen(Context{Name: Chat, Filters: []string{"gone"}})},
			want: "chat a@x admin kind user.* Text.; !b@x"},
		{name: "what an operator excepts", n: disabled, except: []string{"user.*"}, fixed: []Fixed{ops, loud}, want: "room loud@muc room all Text."},
		{name: "but those who choose it get it", n: disabled, except: []string{"user.*"}, prefer: map[string]Preferences{"juliet@x": chosen(Context{Name: Chat, Filters: []string{"mine"}})}, want: "chat juliet@x you mine You."},
		{name: "what others emit is for administrators", n: emitted, fixed: []Fixed{ops}, want: "chat a@x admin default Text.; chat b@x admin default Text.; room ops@muc room default Text."},
		{name: "or for whom they name", n: to, fixed: []Fixed{ops}, want: "chat romeo@x named default Text."},
		{name: "somebody has no address", n: nowhere, want: "chat tybalt you default Text. (there is no address in chat: the entry has no uid); chat a@x admin default Text.; chat b@x admin default Text."},
		{name: "managers", n: managed, want: "chat nurse@x manager default Text.; chat a@x admin default Text.; chat b@x admin default Text."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			var failed []string
			who := Listeners{Admins: []string{"a@x", "b@x"}, Fixed: c.fixed, Except: c.except, Preferences: func(a string) Preferences { return c.prefer[a] },
				Failed: func(a string, _ error) { failed = append(failed, "!"+a) }}
			for _, d := range Plan(&c.n, who, time.Time{}) {
				line := fmt.Sprint(d.Context, " ", d.Address, " ", d.Role, " ", d.Filter, " ", d.Text)
				if d.Fate != "" {
					line += " (" + d.Fate + ")"
				}
				got = append(got, line)
			}
			if text := strings.Join(append(got, failed...), "; "); text != c.want {
				t.Errorf("\n got %s\nwant %s", text, c.want)
			}
		})
	}
}

// TestPreferences: what is not chosen is as for everybody.
func TestPreferences(t *testing.T) {
	p := Preferences{}.With(Context{Name: Device, Filters: []string{"mine"}}).With(Context{Name: Device, Filters: []string{"all"}})
	if len(p.Contexts) != 1 || p.Context(Device).Filters[0] != "all" || p.Context(Chat).Off || !(Preferences{}).Context(Device).Off {
		t.Errorf("%+v", p)
	}
	for _, bad := range []Preferences{{Contexts: []Context{{Name: "smoke"}}}, {Contexts: []Context{{Name: Chat, Filters: []string{"nope"}}}}, {Contexts: []Context{{Name: Chat, Filters: make([]string, 21)}}}} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
