package pubsub

import (
	"strconv"

	"rouse/component/forms"
	"rouse/component/stanza"
	"rouse/session"
)

// Notice is a publish as far as it matters.
type Notice struct {
	Node    string
	Options forms.Form    // publish-options, as the client enabled them; empty: none
	Class   session.Class // silent where the sender could not say
	Count   int           // stanzas it stands for, at least 1
	Content session.Content
}

// Parse reads the pubsub element of a publish; false: it is none.
func Parse(payload *stanza.Element) (Notice, bool) {
	publish := payload.Child(NS, "publish")
	if publish == nil {
		return Notice{}, false
	}
	n := Notice{Node: publish.Get("node"), Class: session.Silent, Count: 1}
	if options := payload.Child(NS, "publish-options"); options != nil {
		n.Options, _ = forms.Of(options)
	}
	if item := publish.Child(NS, "item"); item != nil {
		if note := item.Child(NSPush, "notification"); note != nil {
			n.read(note)
		}
	}
	return n, true
}

// read takes what stands in the notification. Servers differ in the form's type,
// and some send every field and leave values out: only a value counts (Prosody,
// Openfire). Tigase has no type, and ejabberd often no form.
func (n *Notice) read(note *stanza.Element) {
	summary, _ := forms.Of(note)
	n.Content = session.Content{
		Sender:   cut(summary.Get("last-message-sender"), maxAddress),
		Nickname: cut(nickname(note), maxAddress),
		Body:     cut(summary.Get("last-message-body"), maxBody),
	}
	count, err := strconv.Atoi(summary.Get("message-count"))
	if err == nil && count > 1 {
		n.Count = min(count, 1<<20)
	}
	subscriptions, _ := strconv.Atoi(summary.Get("pending-subscription-count"))
	voip := n.encrypted(note)
	switch {
	case voip || action(note) == "propose":
		n.Class = session.Call
	case note.ChildText(nsPriority, "priority") == "high", n.Content.Body != "":
		n.Class = session.Message
	case subscriptions > 0:
		n.Class = session.Subscription
	default:
		// Tigase, when the messages were fetched by another client.
		n.Content.Read = err == nil && count == 0 && n.Content.Sender == "" && n.Content.Encrypted == ""
	}
}

// encrypted takes what the server encrypted for the app, and reports whether it
// is about a call. What no provider takes is left out.
func (n *Notice) encrypted(note *stanza.Element) (voip bool) {
	e := note.Child(nsEncrypt, "encrypted")
	if e == nil {
		return false
	}
	if iv := e.Get("iv"); len(e.Text) <= maxEncrypted && len(iv) <= maxIV {
		n.Content = session.Content{Encrypted: e.Text, IV: iv}
	}
	return e.Get("type") == "voip"
}

func action(note *stanza.Element) string {
	if j := note.Child(nsJingle, "jingle"); j != nil {
		return j.Get("action")
	}
	return ""
}

func nickname(note *stanza.Element) string {
	if g := note.Child(nsRoom, "groupchat"); g != nil {
		return g.ChildText(nsRoom, "nickname")
	}
	return ""
}

// What is kept of a notice, in bytes: more than providers take.
const (
	maxAddress   = 3071 // a JID (RFC 7622 §3.1)
	maxBody      = 4096
	maxEncrypted = 5120
	maxIV        = 64
)

// cut shortens a text to so many bytes, between two characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := 0
	for i := range s {
		if i > most {
			break
		}
		end = i
	}
	return s[:end]
}
