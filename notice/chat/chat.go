// Package chat tells notices by XMPP, as messages of type chat (RFC 6121 §5.2.2). A
// message has no answer, so an IQ goes behind it on the same stream: once the server has
// answered that, it has dealt with the message (RFC 6120 §10.1). What could not be
// delivered comes back as an error (Bounced).
package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/stanza"
	"rouse/notice"
	"rouse/notice/outbox"
)

// Link sends stanzas, and gives the answer to an IQ: its payload, or the error.
type Link interface {
	Send(ctx context.Context, e stanza.Element) error
	Request(ctx context.Context, iq stanza.Element) (stanza.Element, error)
}

// Sender sends in the name of the component.
type Sender struct {
	From string // our JID
	Link Link
}

// settleIn is how long a server gets to answer what is behind a message.
const settleIn = 30 * time.Second

// Send tells one person. nil: the person's server has the message. The same notice may
// be sent again, it has the same id.
func (s *Sender) Send(ctx context.Context, d outbox.Delivery) error {
	j, err := jid.Parse(d.Address)
	if err != nil {
		return fmt.Errorf("chat: %w: %q is no address", notice.ErrUndeliverable, d.Address)
	}
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	if err := s.Link.Send(ctx, Message(s.From, d.Address, d.Notice.ID, Body(d))); err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	_, err = s.Link.Request(ctx, stanza.Element{Name: "iq", Attr: []stanza.Attr{{Name: "type", Value: "get"}, {Name: "from", Value: s.From}, {Name: "to", Value: j.Domainpart()}},
		Children: []stanza.Element{{Space: "urn:xmpp:ping", Name: "ping"}}})
	var answered xmpp.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answered) && answered.Condition == xmpp.RemoteServerNotFound:
		return fmt.Errorf("chat: %w: there is no server for %s", notice.ErrUndeliverable, j.Domainpart())
	case errors.As(err, &answered) && answered.Condition != xmpp.RemoteServerTimeout:
		return nil // that it does not know pings it says after it had the message
	}
	return fmt.Errorf("chat: nobody knows whether it arrived: %w", err)
}

// Body is the text of a message: what is told, and where there is more.
func Body(d outbox.Delivery) string {
	if d.Notice.Link != "" {
		return d.Text + "\n" + d.Notice.Link
	}
	return d.Text
}

// Message is one to a person. Servers keep it for who is not there (XEP-0334 §4.4).
func Message(from, to, id, body string) stanza.Element {
	return stanza.Element{Name: "message", Attr: []stanza.Attr{{Name: "type", Value: "chat"}, {Name: "from", Value: from}, {Name: "to", Value: to}, {Name: "id", Value: id}},
		Children: []stanza.Element{
			{Name: "body", Text: body},
			{Space: "urn:xmpp:hints", Name: "store"},
		}}
}

// Bounced reads a message that came back: of which id, and why.
func Bounced(e *stanza.Element) (id, why string, ok bool) {
	if e.Name != "message" || e.Get("type") != "error" || e.Get("id") == "" {
		return "", "", false
	}
	why = "it came back"
	for i := range e.Children {
		if e.Children[i].Name != "error" {
			continue
		}
		for _, c := range e.Children[i].Children {
			if c.Space == "urn:ietf:params:xml:ns:xmpp-stanzas" && c.Name != "text" {
				why = "it came back: " + c.Name
			}
		}
	}
	return e.Get("id"), why, true
}
