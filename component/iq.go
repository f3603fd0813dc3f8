package component

import (
	"context"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/stanza"
)

// IQ is a request that somebody sent to the component (RFC 6120 §8.2.3).
type IQ struct {
	ID       string
	Type     xmpp.IQType // GetIQ or SetIQ
	From, To jid.JID
	Payload  stanza.Element // the only child
}

// Answer is what an IQ is answered with: a result, or an error if Err is set.
type Answer struct {
	Payload *stanza.Element // of the result; nil for an empty one
	Err     *xmpp.Error
}

// Result answers with a payload.
func Result(payload stanza.Element) Answer { return Answer{Payload: &payload} }

// Done answers with an empty result.
func Done() Answer { return Answer{} }

// Fail answers with an error. The text is for the sender: it must say nothing
// about our inside.
func Fail(t xmpp.ErrorType, c xmpp.Condition, text string) Answer {
	err := &xmpp.Error{Type: t, Condition: c}
	if text != "" {
		err.Text = map[string]string{"": text}
	}
	return Answer{Err: err}
}

// An IQHandler answers IQs by calling reply, once, from any goroutine, before
// or after it returns; further calls do nothing. It should return soon: until
// then it holds a worker, and the next IQ of the same owner waits. ctx ends
// with the answer, and at the latest when Config.AnswerTimeout is over; then
// the IQ has been answered with wait. A panic is answered with wait as well.
type IQHandler func(ctx context.Context, iq IQ, reply func(Answer))

// Sync makes a handler of a function that has its answer when it returns.
func Sync(f func(ctx context.Context, iq IQ) Answer) IQHandler {
	return func(ctx context.Context, iq IQ, reply func(Answer)) { reply(f(ctx, iq)) }
}

// Message is a message stanza to the component.
type Message struct {
	From, To jid.JID
	Type     string         // as sent; "" means normal (RFC 6121 §5.2.2)
	Stanza   stanza.Element // all of it
}

// A MessageHandler takes a message, or a presence; nothing is answered for it.
type MessageHandler func(ctx context.Context, m Message)

// answers are given for reasons of the link, not of a protocol. A fault or
// shortage of ours is of type wait, which costs nobody a registration.
var (
	errBadRequest  = xmpp.Error{Type: xmpp.Modify, Condition: xmpp.BadRequest}
	errUnhandled   = xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.ServiceUnavailable}
	errTooLarge    = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.PolicyViolation}
	errBusy        = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.ServiceUnavailable}
	errUnanswered  = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.ServiceUnavailable}
	errHandlerDied = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.InternalServerError}
)

// response builds the stanza that carries a.
func (a Answer) response(id string, from, to jid.JID) stanza.Element {
	e := stanza.Element{Name: "iq", Attr: []stanza.Attr{
		{Name: "type", Value: string(xmpp.ResultIQ)},
		{Name: "id", Value: id},
		{Name: "from", Value: from.String()},
		{Name: "to", Value: to.String()},
	}}
	switch {
	case a.Err != nil:
		e.Attr[0].Value = string(xmpp.ErrorIQ)
		e.Children = []stanza.Element{stanza.ErrorElement(*a.Err)}
	case a.Payload != nil:
		e.Children = []stanza.Element{*a.Payload}
	}
	return e
}
