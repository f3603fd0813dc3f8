package events

import (
	"strings"
	"testing"
	"time"

	"rouse/component/stanza"
	"rouse/session"
)

// FuzzFilter: whatever a client had its server pass on, no more chats are kept than may be.
func FuzzFilter(f *testing.F) {
	f.Add("0123456789ab 0123456789ac", "0123456789ad", "22:00-07:00", "Europe/Berlin", "2026-12-24T18:00:00Z", "30")
	f.Add(strings.Repeat("0123456789ab ", 300), strings.Repeat("0123456789ad ", 300), "", "Local", "", "-1")
	f.Fuzz(func(t *testing.T, muted, never, quiet, zone, until, grace string) {
		x := &stanza.Element{Attr: []stanza.Attr{{Name: "muted", Value: muted}, {Name: "never", Value: never}, {Name: "quiet", Value: quiet}, {Name: "zone", Value: zone},
			{Name: "until", Value: until}, {Name: "grace", Value: grace}}}
		c := filter(x)
		if len(c.Muted)+len(c.Rooms) > session.MaxChats || c.Grace > maxGrace*time.Second || c.Quiet.From < 0 || c.Quiet.To >= 24*60 || c.Quiet.Zone == "Local" {
			t.Errorf("%+v", c)
		}
	})
}

// FuzzAbout: whatever a module says of itself, it is read and is bounded by what it said.
func FuzzAbout(f *testing.F) {
	f.Add(`<about xmlns='rouse:events:0' module='1' software='Prosody' version='0.12.3' t='1763779261400' waiting='3' taken='1' away='true'><beside name='smacks'/><setting name='smacks_hibernation_time' value='600'/></about>`)
	f.Add(`<about t='-1' waiting='x'><setting name='a' value='1e400'/></about>`)
	f.Fuzz(func(t *testing.T, xml string) {
		e := element(t, xml)
		if e == nil {
			return
		}
		a := parseAbout(e)
		for name := range a.Settings {
			a.Seconds(name)
		}
		if len(a.Beside)+len(a.Settings) > len(e.Children) || a.Clock.UnixMilli() < 0 && !a.Clock.IsZero() {
			t.Errorf("%+v", a)
		}
	})
}
