// Package chat tells notices by XMPP: as a message of type chat, or groupchat to a
// room that the component is in. A message has no answer, so an IQ goes behind it on
// the same stream: once the server has answered that, it has dealt with the message
// (RFC 6120 §10.1). What it could not deliver comes back as an error, which Bounce
// takes.
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
func (s *Sender) Send(ctx context.Context, n notice.Notice, to string) error {
	j, err := jid.Parse(to)
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	if err := s.Link.Send(ctx, Message(s.From, n, to)); err != nil {
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

// Message is how a notice is told.
func Message(from string, n notice.Notice, to string) stanza.Element {
	return stanza.Element{Name: "message", Attr: []stanza.Attr{{Name: "type", Value: "chat"}, {Name: "from", Value: from}, {Name: "to", Value: to}, {Name: "id", Value: n.ID}},
		Children: []stanza.Element{
			{Name: "body", Text: n.Text},
			{Space: "urn:xmpp:hints", Name: "store"},
		}}
}
