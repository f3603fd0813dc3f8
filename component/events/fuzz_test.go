package events

import "testing"

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
