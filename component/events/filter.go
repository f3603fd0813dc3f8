package events

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"rouse/component/stanza"
	"rouse/session"
)

// filter reads what a client chose of what to be woken for. Clients write it, so what
// makes no sense is left out: a batch is not refused for it.
func filter(x *stanza.Element) *session.Filter {
	f := &session.Filter{Known: isTrue(x, "known"), Calls: isTrue(x, "calls"), Priority: isTrue(x, "priority")}
	left := session.MaxChats
	f.Muted = chats(x.Get("muted"), &left)
	for _, allow := range []session.Allow{session.Always, session.Mentioned, session.Never} {
		for _, chat := range chats(x.Get(allow.String()), &left) {
			if f.Rooms == nil {
				f.Rooms = make(map[string]session.Allow)
			}
			f.Rooms[chat] = allow
		}
	}
	if allow, err := session.ParseAllow(x.Get("groups")); err == nil {
		f.Groups = allow
	}
	zone := x.Get("zone")
	_, err := time.LoadLocation(zone)
	if hours, bad := session.ParseHours(x.Get("quiet")); bad == nil && err == nil && zone != "Local" {
		if f.Quiet = hours; hours.From != hours.To {
			f.Quiet.Zone = zone
		}
	}
	if until, err := time.Parse(time.RFC3339, x.Get("until")); err == nil {
		f.Until = until.UTC()
	}
	if n, err := strconv.Atoi(x.Get("grace")); err == nil && n >= 0 && n <= maxGrace {
		if f.Grace = time.Duration(n) * time.Second; n == 0 {
			f.Grace = -1
		}
	}
	return f
}

// maxGrace is the longest that a device may have its wakes wait for others, in seconds.
const maxGrace = 600

func isTrue(x *stanza.Element, name string) bool {
	v := x.Get(name)
	return v == "true" || v == "1"
}

// chats reads names of chats, as in the attribute chat, separated by spaces; no more
// than are left.
func chats(text string, left *int) (list []string) {
	for name := range strings.FieldsSeq(text) {
		if b, err := hex.DecodeString(name); err != nil || len(b) != 6 {
			continue
		}
		if *left == 0 {
			break
		}
		*left--
		list = append(list, strings.ToLower(name))
	}
	return list
}
