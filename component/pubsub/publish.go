package pubsub

import (
	"strconv"

	"rouse/component/stanza"
	"rouse/session"
)

// Notice is a publish as far as it matters.
type Notice struct {
	Node   string
	Secret string        // of publish-options; empty: none was given
	Class  session.Class // message, or silent where the sender could not say
	Count  int           // stanzas it stands for, at least 1
}

// Parse reads the pubsub element of a publish; false: it is none.
func Parse(payload *stanza.Element) (Notice, bool) {
	publish := payload.Child(NS, "publish")
	if publish == nil {
		return Notice{}, false
	}
	n := Notice{Node: publish.Get("node"), Class: session.Silent, Count: 1}
	if item := publish.Child(NS, "item"); item != nil {
		if note := item.Child(NSPush, "notification"); note != nil {
			n.summary(note)
		}
	}
	if options := payload.Child(NS, "publish-options"); options != nil {
		n.Secret = field(options.Child(nsForm, "x"), "secret")
	}
	return n, true
}

// summary reads how important it is. Servers differ in the form's type, and some
// send every field and leave values out: only a value counts (Prosody, Openfire).
func (n *Notice) summary(note *stanza.Element) {
	x := note.Child(nsForm, "x")
	if field(x, "last-message-body") != "" {
		n.Class = session.Message
	} else if c, err := strconv.Atoi(field(x, "pending-subscription-count")); err == nil && c > 0 {
		n.Class = session.Subscription
	}
	if c, err := strconv.Atoi(field(x, "message-count")); err == nil && c > 1 {
		n.Count = min(c, 1<<20)
	}
}

// field gives the first value of a form's field, or "".
func field(x *stanza.Element, name string) string {
	if x == nil {
		return ""
	}
	for i := range x.Children {
		if f := &x.Children[i]; f.Is(nsForm, "field") && f.Get("var") == name {
			return f.ChildText(nsForm, "value")
		}
	}
	return ""
}
