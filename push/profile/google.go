package profile

import (
	"fmt"

	"rouse/push"
	"rouse/session"
)

// GooglePush is a message for FCM.
type GooglePush struct {
	Data     map[string]string
	Alert    *Alert // shown by Android; nil: the app decides
	Tag      string // with Alert: replaces what was shown under the same
	Collapse string // empty: stands for itself
}

// Google makes a message for FCM.
func (p Profile) Google(n push.Notification) (GooglePush, error) {
	f := p.format()
	n, err := fit(n, GoogleLimit, func(n push.Notification) int { return f.message(n).size() })
	return f.message(n), err
}

// Web makes the content of a Web Push message: the same data, as JSON.
func (p Profile) Web(n push.Notification) ([]byte, error) {
	f := p.format()
	n, err := fit(n, WebLimit, func(n push.Notification) int { return len(encode(f.data(n))) })
	return encode(f.data(n)), err
}

func (f *format) message(n push.Notification) GooglePush {
	out := GooglePush{Data: f.data(n), Collapse: f.collapse(n)}
	if text, shown := f.text(n); shown && f.shows {
		out.Alert = &text
		if f.alert != nil && !n.Content.Notice {
			out.Tag = n.Content.Sender
		}
	}
	return out
}

// data is the keys as text. Where there are none and nothing is shown, one of no
// meaning keeps the message from being empty.
func (f *format) data(n push.Notification) map[string]string {
	data := make(map[string]string)
	if n.Content.Notice {
		return map[string]string{"title": n.Content.Sender, "body": n.Content.Body}
	}
	for key, value := range f.keys(n) {
		data[key] = fmt.Sprint(value)
	}
	if _, shown := f.text(n); len(data) == 0 && !(shown && f.shows) {
		data["wake"] = "1"
	}
	return data
}

func (g GooglePush) size() int {
	n := len(g.Tag)
	for key, value := range g.Data {
		n += len(key) + len(value)
	}
	if g.Alert != nil {
		n += len(g.Alert.Title) + len(g.Alert.Body)
	}
	return n
}

// collapse gives what p2 gives: the first six digits of the room or the device,
// and nothing for calls. A hundred pending messages without collapse_key make FCM
// throw away all of them.
func (f *format) collapse(n push.Notification) string {
	switch {
	case n.Content.Notice:
		return n.Collapse
	case n.Class.Importance().Collapse == session.Alone:
		return ""
	}
	if f.hashed {
		for _, hash := range []string{n.Content.Channel, n.Target.Device} {
			if len(hash) >= 6 {
				return hash[:6]
			}
		}
	}
	return n.Collapse
}
