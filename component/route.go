package component

import (
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/stanza"
)

// read takes what comes in until the stream ends. It waits for nobody.
func (c *Component) read(ctx context.Context, l *link) error {
	for {
		e, err := l.in.Next()
		var large *stanza.TooLarge
		switch {
		case errors.As(err, &large):
			c.refuse(l, &large.Header)
		case err != nil:
			return err
		case e.Space != stanza.NSClient:
			c.log.Debug("not a stanza, dropped", "name", e.Name, "namespace", e.Space)
		case e.Name == "iq":
			c.routeIQ(ctx, l, e)
		case e.Name == "message":
			c.routeMessage(ctx, l, c.messageHandler(), e)
		case e.Name == "presence":
			c.routeMessage(ctx, l, c.presenceHandler(), e)
		}
	}
}

// addresses returns who sent a stanza and to whom. Without them there is
// nobody to answer, or nobody to answer as.
func (c *Component) addresses(e *stanza.Element) (from, to jid.JID, ok bool) {
	from, err := jid.Parse(e.Get("from"))
	if err != nil {
		c.log.Debug("sender is not an address, dropped", "stanza", e.Name, "err", err)
		return from, to, false
	}
	to = c.cfg.JID
	if s, given := e.Lookup("to"); given {
		if to, err = jid.Parse(s); err != nil || to.Domainpart() != c.cfg.JID.Domainpart() {
			c.log.Debug("stanza is not for us, dropped", "stanza", e.Name, "to", s)
			return from, to, false
		}
	}
	return from, to, true
}

// refuse answers a stanza that was too large to be read. The type is wait, so
// that it costs nobody a registration.
func (c *Component) refuse(l *link, head *stanza.Element) {
	c.log.Warn("stanza beyond the limits passed over", "stanza", head.Name, "bytes", l.in.Size())
	t := xmpp.IQType(head.Get("type"))
	if !head.Is(stanza.NSClient, "iq") || t != xmpp.GetIQ && t != xmpp.SetIQ {
		return
	}
	if from, to, ok := c.addresses(head); ok {
		c.fail(IQ{ID: head.Get("id"), From: from, To: to}, errTooLarge)
	}
}

func (c *Component) routeIQ(ctx context.Context, l *link, e stanza.Element) {
	t := xmpp.IQType(e.Get("type"))
	if t == xmpp.ResultIQ || t == xmpp.ErrorIQ {
		if !l.requests.deliver(e) {
			c.log.Debug("answer to nothing that was asked, dropped", "from", e.Get("from"))
		}
		return
	}
	from, to, ok := c.addresses(&e)
	if !ok {
		return
	}
	iq := IQ{ID: e.Get("id"), Type: t, From: from, To: to}
	if iq.ID == "" || t != xmpp.GetIQ && t != xmpp.SetIQ || len(e.Children) != 1 {
		c.fail(iq, errBadRequest)
		return
	}
	iq.Payload = e.Children[0]
	h := c.handler(handlerKey{t, xml.Name{Space: iq.Payload.Space, Local: iq.Payload.Name}})
	if h == nil {
		c.fail(iq, errUnhandled)
		return
	}
	key, size := c.cfg.Owner(iq), l.in.Size()
	if !c.work.take(key, size, func() { c.handle(ctx, iq, h, func() { c.work.finish(key, size) }) }) {
		c.fail(iq, errBusy)
	}
}

func (c *Component) handler(key handlerKey) IQHandler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handlers[key]
}

// handle runs a handler and sees to it that the IQ is answered once.
func (c *Component) handle(ctx context.Context, iq IQ, h IQHandler, finish func()) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AnswerTimeout)
	var answered atomic.Bool
	answer := func(a Answer) bool {
		if !answered.CompareAndSwap(false, true) {
			return false
		}
		c.respond(iq, a)
		finish()
		return true
	}
	stop := context.AfterFunc(ctx, func() {
		if answer(Answer{Err: &errUnanswered}) && c.cut.Err() == nil {
			c.log.Error("handler did not answer in time, answered wait", payloadOf(iq), "err", context.Cause(ctx))
		}
	})
	reply := func(a Answer) {
		if answer(a) {
			stop()
			cancel()
		}
	}
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("handler panicked, answered wait", payloadOf(iq), "panic", p, "stack", string(debug.Stack()))
			reply(Answer{Err: &errHandlerDied})
		}
	}()
	h(ctx, iq, reply)
}

func payloadOf(iq IQ) slog.Attr {
	return slog.Group("iq", "type", iq.Type, "payload", iq.Payload.Name, "namespace", iq.Payload.Space)
}

func (c *Component) messageHandler() MessageHandler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.message
}

func (c *Component) presenceHandler() MessageHandler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.presence
}

// routeMessage hands over a message or a presence.
func (c *Component) routeMessage(ctx context.Context, l *link, h MessageHandler, e stanza.Element) {
	if h == nil {
		return
	}
	from, to, ok := c.addresses(&e)
	if !ok {
		return
	}
	m := Message{From: from, To: to, Type: e.Get("type"), Stanza: e}
	key, size := from.Bare().String(), l.in.Size()
	run := func() {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.AnswerTimeout)
		defer c.work.finish(key, size)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				c.log.Error("handler panicked", "stanza", e.Name, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		h(ctx, m)
	}
	if !c.work.take(key, size, run) {
		c.log.Debug("too much to do, dropped", "stanza", e.Name)
	}
}

func (c *Component) fail(iq IQ, err xmpp.Error) { c.respond(iq, Answer{Err: &err}) }

// respond writes the answer to an IQ, on whatever link there is now.
func (c *Component) respond(iq IQ, a Answer) {
	b, err := c.encode(a.response(iq.ID, iq.To, iq.From))
	if err != nil {
		c.log.Error("answer cannot be sent, answered wait instead", payloadOf(iq), "err", err)
		if b, err = c.encode(Answer{Err: &errHandlerDied}.response(iq.ID, iq.To, iq.From)); err != nil {
			return
		}
	}
	l := c.link.Load()
	if l == nil {
		c.log.Debug("answer dropped, the link is down")
		return
	}
	if !l.out.offer(b) && l.overflowed.CompareAndSwap(false, true) {
		c.log.Warn("answers dropped, the server does not take them")
	}
}
