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
