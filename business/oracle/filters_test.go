package oracle_test

import (
	"time"

	"pgregory.net/rapid"

	"rouse/business/oracle"
	"rouse/session"
)

func (w *world) stranger() bool { return rapid.IntRange(0, 3).Draw(w.t, "stranger") == 3 }

// filter is one of some; histories begin at 22:13:20 UTC.
func (w *world) filter() *session.Filter {
	f := &session.Filter{
		Known: rapid.Bool().Draw(w.t, "known"), Calls: rapid.Bool().Draw(w.t, "calls"),
		Groups: rapid.SampledFrom([]session.Allow{session.Always, session.Mentioned, session.Never}).Draw(w.t, "groups"),
		Grace:  rapid.SampledFrom([]time.Duration{0, 0, -1, 10 * time.Second}).Draw(w.t, "own grace"),
	}
	if rapid.Bool().Draw(w.t, "mutes") {
		f.Muted = []string{"romeo"}
	}
	if rapid.Bool().Draw(w.t, "lists") {
		f.Rooms = map[string]session.Allow{"nurse": rapid.SampledFrom([]session.Allow{session.Never, session.Always, session.Mentioned}).Draw(w.t, "room")}
	}
	if rapid.Bool().Draw(w.t, "has hours") {
		text := rapid.SampledFrom([]string{"22:14-22:16", "22:15-22:17", "23:16-23:17", "23:50-22:15"}).Draw(w.t, "quiet")
		f.Quiet, _ = session.ParseHours(text)
		f.Quiet.Zone = rapid.SampledFrom([]string{"", "East"}).Draw(w.t, "zone")
	}
	if rapid.Bool().Draw(w.t, "does not want to be disturbed") {
		f.Until = w.now.Add(time.Duration(rapid.IntRange(-5, 120).Draw(w.t, "for seconds")) * time.Second)
	}
	return f
}

func translatedFilter(f *session.Filter) *oracle.Filter {
	if f == nil {
		return nil
	}
	o := &oracle.Filter{Muted: f.Muted, Rooms: map[string]string{}, Groups: f.Groups.String(), Known: f.Known, Calls: f.Calls, From: f.Quiet.From, To: f.Quiet.To, Grace: f.Grace.Milliseconds()}
	for chat, allow := range f.Rooms {
		o.Rooms[chat] = allow.String()
	}
	if f.Grace < 0 {
		o.Grace = -1
	}
	if f.Quiet.Zone == "East" {
		o.East = 3600_000
	}
	if !f.Until.IsZero() {
		o.Until = f.Until.UnixMilli()
	}
	return o
}
