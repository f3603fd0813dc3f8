package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rouse/session"
)

const filterTip = "known, calls, muted=CHAT, room=CHAT@mentioned, groups=never, quiet=22:00-07:00@Europe/Berlin, until=2026-01-05T14:00:00Z, grace=30s"

// filtering reads a word of what a device is not to be woken for; false: it is none.
func filtering(e *session.Event, word string) (bool, *mistake) {
	if e.Kind != session.Enable && e.Kind != session.Choose {
		return false, nil
	}
	f := session.Filter{}
	if e.Filter != nil {
		f = *e.Filter
	}
	name, value, _ := strings.Cut(word, "=")
	what, more, _ := strings.Cut(value, "@")
	var err error
	switch name {
	case "known":
		f.Known = true
	case "calls":
		f.Calls = true
	case "muted":
		f.Muted = append(slices.Clone(f.Muted), value)
	case "room":
		var allow session.Allow
		allow, err = session.ParseAllow(more)
		if f.Rooms = maps.Clone(f.Rooms); f.Rooms == nil {
			f.Rooms = make(map[string]session.Allow)
		}
		f.Rooms[what] = allow
	case "groups":
		f.Groups, err = session.ParseAllow(value)
	case "quiet":
		f.Quiet, err = session.ParseHours(what)
		f.Quiet.Zone = more
	case "until":
		f.Until, err = time.Parse(time.RFC3339, value)
	case "grace":
		f.Grace, err = time.ParseDuration(value)
	default:
		return false, nil
	}
	if err != nil {
		return true, wrong(filterTip, "%s: %s", word, err.Error())
	}
	e.Filter = &f
	return true, nil
}

// filterWords tells a filter, in the words that filtering reads.
func filterWords(f *session.Filter) (words []string) {
	if f == nil {
		return nil
	}
	add := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(f.Known, "known")
	add(f.Calls, "calls")
	for _, chat := range f.Muted {
		add(true, "muted=%s", chat)
	}
	for _, chat := range slices.Sorted(maps.Keys(f.Rooms)) {
		add(true, "room=%s@%s", chat, f.Rooms[chat])
	}
	add(f.Groups != session.Always, "groups=%s", f.Groups)
	zone := ""
	if f.Quiet.Zone != "" {
		zone = "@" + f.Quiet.Zone
	}
	add(f.Quiet.String() != "", "quiet=%s%s", f.Quiet, zone)
	add(!f.Until.IsZero(), "until=%s", f.Until.UTC().Format(time.RFC3339))
	add(f.Grace != 0, "grace=%s", f.Grace)
	return words
}
