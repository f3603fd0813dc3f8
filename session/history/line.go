package history

import (
	"fmt"
	"strings"

	"rouse/session"
)

// Line is the line of a history that tells an event, where a device is registered
// with service unless the line says otherwise. What no line can tell (nodes of a
// cluster, epochs, counters) is left out.
func Line(e session.Event, service string) string {
	who := Account
	if e.Session != "" {
		who = e.Session
	}
	w := []string{who, string(e.Kind)}
	add := func(format string, v any, there bool) {
		if there {
			w = append(w, fmt.Sprintf(format, v))
		}
	}
	add("%s", e.Class, e.Class != session.Nothing)
	switch e.Kind {
	case session.CSI, session.Heard, session.Resume, session.PictureRow:
		add("%s", e.State, true)
	}
	add("%s", e.Key, e.Key != "")
	add("out=%d", e.Out, e.Out != 0)
	add("acked=%d", e.Acked, e.Acked != 0)
	add("count=%d", e.Count, e.Count != 0)
	for _, u := range e.Unread {
		text := "unread=" + u.Class.String()
		if u.Count > 1 {
			text += fmt.Sprintf("*%d", u.Count)
		}
		text += fmt.Sprintf("@%d", u.Last)
		if u.Key != "" || u.Chat != "" || u.Stranger {
			text += "@" + u.Key
		}
		if u.Chat != "" || u.Stranger {
			text += "@" + u.Chat
		}
		if u.Stranger {
			text += "@stranger"
		}
		w = append(w, text)
	}
	add("chat=%s", e.Chat, e.Chat != "")
	if e.Stranger {
		w = append(w, "stranger")
	}
	for _, s := range e.Heard {
		add("heard=%s", s, true)
	}
	add("node=%s", e.Address.Node, e.Address.Node != "")
	add("service=%s", e.Address.Service, e.Address.Service != "" && e.Address.Service != service)
	for _, a := range e.Published {
		add("published=%s", a.Node, true)
	}
	add("resource=%s", e.Resource, e.Resource != "" && e.Resource != who)
	add("client=%s", e.Client, e.Client != "")
	add("reason=%s", e.Reason, e.Reason != "")
	w = append(w, filterWords(e.Filter)...)
	return strings.Join(w, " ")
}
