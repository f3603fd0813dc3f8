package session

import (
	"fmt"
	"slices"
	"time"
)

// Filter is what a device is not to be woken for, or not now, as its client or its
// user chose it. Chats are named as in Event.Chat: who is behind them rouse does not
// know. A filter never changes; another one takes its place. nil: everything wakes.
type Filter struct {
	Muted    []string         `json:"muted,omitempty"`    // chats of which nothing wakes. Calls ring all the same
	Rooms    map[string]Allow `json:"rooms,omitempty"`    // what wakes of a room
	Groups   Allow            `json:"groups,omitempty"`   // and of any other room
	Known    bool             `json:"known,omitempty"`    // only those whom the user has in the roster
	Quiet    Hours            `json:"quiet,omitzero"`     // when wakes wait, every day
	Until    time.Time        `json:"until,omitzero"`     // until when they do: do not disturb
	Calls    bool             `json:"calls,omitempty"`    // calls ring then all the same
	Priority bool             `json:"priority,omitempty"` // a push service of others is told whether it is urgent (tigase:push:priority:0)
	Grace    time.Duration    `json:"grace,omitempty"`    // in place of the policy's; below 0: none, 0: the policy's
}

// MaxChats bounds the chats that a filter may name, muted ones and rooms together.
const MaxChats = 200

// Allow is what of a room wakes.
type Allow uint8

const (
	Always Allow = iota
	Mentioned
	Never
	numAllows
)

var allows = [numAllows]string{"always", "mentioned", "never"}

func (a Allow) String() string {
	if a < numAllows {
		return allows[a]
	}
	return fmt.Sprintf("allow(%d)", uint8(a))
}

// ParseAllow reads the name that String gives.
func ParseAllow(s string) (Allow, error) {
	if i := slices.Index(allows[:], s); i >= 0 {
		return Allow(i), nil
	}
	return Always, fmt.Errorf("%.40q is not always, mentioned or never", s)
}

// MarshalText gives the name.
func (a Allow) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (a *Allow) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAllow(string(b))
	return err
}

// Hours are a part of each day. From and To are minutes after midnight, 0 to 1439; a
// part that begins later than it ends goes over midnight. The same twice: none.
type Hours struct {
	From int    `json:"from,omitempty"`
	To   int    `json:"to,omitempty"`
	Zone string `json:"zone,omitempty"` // of the IANA database; empty: UTC
}

// ParseHours reads "22:00-07:00"; empty are none. The zone is another matter.
func ParseHours(s string) (h Hours, err error) {
	if s == "" {
		return h, nil
	}
	var hours, minutes [2]int
	if n, err := fmt.Sscanf(s, "%d:%d-%d:%d", &hours[0], &minutes[0], &hours[1], &minutes[1]); err != nil || n != 4 ||
		s != fmt.Sprintf("%02d:%02d-%02d:%02d", hours[0], minutes[0], hours[1], minutes[1]) {
		return h, fmt.Errorf("%.40q is not like 22:00-07:00", s)
	}
	for i := range 2 {
		if hours[i] < 0 || hours[i] > 23 || minutes[i] < 0 || minutes[i] > 59 {
			return h, fmt.Errorf("%.40q are no hours of a day", s)
		}
	}
	return Hours{From: 60*hours[0] + minutes[0], To: 60*hours[1] + minutes[1]}, nil
}

// String gives what ParseHours reads; empty of none.
func (h Hours) String() string {
	if h.From == h.To {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
}

// End gives when the hours end that t is in, by a clock of that zone; t itself if it
// is in none. On days whose clocks change that is when the clock shows it.
func (h Hours) End(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	at := 60*local.Hour() + local.Minute()
	day := local.Day()
	switch {
	case h.From == h.To:
		return t
	case h.From < h.To && (at < h.From || at >= h.To), h.From > h.To && at < h.From && at >= h.To:
		return t
	case h.From > h.To && at >= h.From:
		day++
	}
	end := time.Date(local.Year(), local.Month(), day, h.To/60, h.To%60, 0, 0, zone)
	if !end.After(t) { // the clock is set back, and shows it twice
		return t
	}
	return end.In(t.Location())
}

// Refuses says why a stanza does not wake; empty: it may.
func (f *Filter) Refuses(c Class, chat string, stranger bool) string {
	if f == nil {
		return ""
	}
	room, listed := f.Rooms[chat]
	if !listed {
		room = f.Groups
	}
	inRoom := c == Group || c == Mention
	switch {
	case f.Known && stranger && !inRoom:
		return "it is from somebody who is not in the roster"
	case !c.Rings() && chat != "" && slices.Contains(f.Muted, chat):
		return "the chat is muted"
	case inRoom && room == Never:
		return "rooms do not wake"
	case inRoom && room == Mentioned && c != Mention:
		return "the user is not mentioned"
	}
	return ""
}

// Rests says until when wakes wait that are due at t; t itself: they do not.
func (f *Filter) Rests(t time.Time, zone func(string) *time.Location) time.Time {
	if f == nil {
		return t
	}
	for range 4 { // quiet hours may follow on do-not-disturb, and the other way round
		end := t
		if f.Until.After(end) {
			end = f.Until
		}
		end = f.Quiet.End(end, zone(f.Quiet.Zone))
		if end.Equal(t) {
			break
		}
		t = end
	}
	return t
}

// Empty reports whether everything wakes, as without a filter.
func (f *Filter) Empty() bool {
	return f == nil || len(f.Muted) == 0 && len(f.Rooms) == 0 && f.Groups == Always && !f.Known && f.Quiet.From == f.Quiet.To && f.Until.IsZero() && f.Grace == 0 && !f.Priority
}
