package lab

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
)

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// message is a message of that type with payload, which is XML.
func message(to, typ, id, payload string) string {
	return fmt.Sprintf(`<message to='%s' type='%s' id='%s'>%s</message>`, escape(to), typ, escape(id), payload)
}

// Chat is a message of type chat.
func Chat(to, id, body string) string {
	return message(to, "chat", id, "<body>"+escape(body)+"</body>")
}

// Encrypted looks like an OMEMO message (XEP-0384 0.3) as far as a server can see.
func Encrypted(to, id string) string {
	return message(to, "chat", id, `<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><key rid='2'>a2V5</key><iv>aXY=</iv></header>`+
		`<payload>cGF5bG9hZA==</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>`)
}

// Propose proposes a call (XEP-0353).
func Propose(to, id string) string {
	return message(to, "chat", id, fmt.Sprintf(`<propose xmlns='urn:xmpp:jingle-message:0' id='%s'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>`+
		`<store xmlns='urn:xmpp:hints'/>`, escape(id)))
}

// Composing is a chat state (XEP-0085).
func Composing(to, id string) string {
	return message(to, "chat", id, `<composing xmlns='http://jabber.org/protocol/chatstates'/>`)
}

// Receipt says that the message of was delivered (XEP-0184).
func Receipt(to, id, of string) string {
	return message(to, "chat", id, fmt.Sprintf(`<received xmlns='urn:xmpp:receipts' id='%s'/>`, escape(of)))
}

// Displayed says that the message of was read (XEP-0333).
func Displayed(to, id, of string) string {
	return message(to, "chat", id, fmt.Sprintf(`<displayed xmlns='urn:xmpp:chat-markers:0' id='%s'/>`, escape(of)))
}

// GroupChat is a message to a room (XEP-0045).
func GroupChat(room, id, body string) string {
	return message(room, "groupchat", id, "<body>"+escape(body)+"</body>")
}

// Mention is a message to a room that names a user (XEP-0372).
func Mention(room, id, body, user string) string {
	return message(room, "groupchat", id, "<body>"+escape(body)+"</body>"+
		fmt.Sprintf(`<reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='1' uri='xmpp:%s'/>`, escape(user)))
}

// Subject sets a room's subject.
func Subject(room, id, subject string) string {
	return message(room, "groupchat", id, "<subject>"+escape(subject)+"</subject>")
}

// Subscribe asks to see somebody's presence (RFC 6121 §3).
func Subscribe(to, id string) string {
	return fmt.Sprintf(`<presence to='%s' type='subscribe' id='%s'/>`, escape(to), escape(id))
}

// Join enters a room and returns when the room has said that the client is in.
func (c *Client) Join(ctx context.Context, room, nick string) error {
	occupant := room + "/" + nick
	if err := c.Send(ctx, fmt.Sprintf(`<presence to='%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>`, escape(occupant))); err != nil {
		return err
	}
	_, err := c.Await(ctx, func(s Stanza) bool {
		return s.XMLName.Local == "presence" && s.From == occupant && s.Type == "" && strings.Contains(s.XML, `code="110"`)
	})
	return err
}

// Correction corrects the message of (XEP-0308).
func Correction(to, typ, id, of, body string) string {
	return message(to, typ, id, fmt.Sprintf(`<body>%s</body><replace xmlns='urn:xmpp:message-correct:0' id='%s'/>`, escape(body), escape(of)))
}

// Reaction is a reaction to the message of (XEP-0444), with a body for clients
// that do not know these (XEP-0428).
func Reaction(to, typ, id, of string) string {
	return message(to, typ, id, fmt.Sprintf(`<body>+1</body><reactions xmlns='urn:xmpp:reactions:0' id='%s'><reaction>+1</reaction></reactions>`+
		`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reactions:0'><body/></fallback><store xmlns='urn:xmpp:hints'/>`, escape(of)))
}

// Retraction takes the message of back (XEP-0424), with a body for clients that
// cannot.
func Retraction(to, typ, id, of string) string {
	return message(to, typ, id, fmt.Sprintf(`<body>/me takes back a message</body><retract xmlns='urn:xmpp:message-retract:1' id='%s'/>`+
		`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'><body/></fallback><store xmlns='urn:xmpp:hints'/>`, escape(of)))
}

// Invite asks somebody into a room (XEP-0249).
func Invite(to, id, room string) string {
	return message(to, "normal", id, fmt.Sprintf(`<x xmlns='jabber:x:conference' jid='%s'/><store xmlns='urn:xmpp:hints'/>`, escape(room)))
}

// InviteBy has a room ask somebody in (XEP-0045 §7.8).
func InviteBy(room, id, whom string) string {
	return message(room, "normal", id, fmt.Sprintf(`<x xmlns='http://jabber.org/protocol/muc#user'><invite to='%s'/></x>`, escape(whom)))
}

// Proceed takes a call that was proposed (XEP-0353 §3).
func Proceed(to, of string) string {
	return message(to, "chat", "proceed-"+of, fmt.Sprintf(`<proceed xmlns='urn:xmpp:jingle-message:0' id='%s'/><store xmlns='urn:xmpp:hints'/>`, escape(of)))
}

// Reject refuses one.
func Reject(to, of string) string {
	return message(to, "chat", "reject-"+of, fmt.Sprintf(`<reject xmlns='urn:xmpp:jingle-message:0' id='%s'/><store xmlns='urn:xmpp:hints'/>`, escape(of)))
}

// Hangup takes back a call that was proposed (XEP-0353).
func Hangup(to, id, of string) string {
	return message(to, "chat", id, fmt.Sprintf(`<retract xmlns='urn:xmpp:jingle-message:0' id='%s'/><store xmlns='urn:xmpp:hints'/>`, escape(of)))
}
