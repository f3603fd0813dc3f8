package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/pubsub"
	"rouse/component/stanza"
	"rouse/config"
)

// currentLink is the component link for those who outlive it: each time that this
// process gets the right to the link, it makes a new one.
type currentLink struct {
	now   atomic.Pointer[component.Component]
	state atomic.Pointer[component.State] // nil: it has done nothing yet
}

func (l *currentLink) Request(ctx context.Context, iq stanza.Element) (stanza.Element, error) {
	if c := l.now.Load(); c != nil {
		return c.Request(ctx, iq)
	}
	return stanza.Element{}, component.ErrDisconnected
}

func (l *currentLink) Send(ctx context.Context, e stanza.Element) error {
	if c := l.now.Load(); c != nil {
		return c.Send(ctx, e)
	}
	return component.ErrDisconnected
}

// partTime is how long a message may wait that nobody needs.
const partTime = time.Second

// parts tells an account's server that a node is not there any more.
func (a *app) parts(account, node string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), partTime)
	defer cancel()
	return a.link.Send(ctx, pubsub.Part(account, node)) == nil
}

// eager is how long a new holder of the link tries at short intervals: the server
// may still have the connection of the one before.
const eager = 10 * time.Second

// duty is what one process at a time does: it has the component link. When the
// right to it is lost the link is cut, and what was not answered is repeated to
// whoever has it next.
func (a *app) duty(ctx, lost context.Context) error {
	link, err := newLink(a, a.cfg.Load().Component, func(s component.State) { a.onLink(lost, s) })
	if err != nil {
		return err
	}
	a.link.now.Store(link)
	defer func() {
		a.link.now.Store(nil)
		a.link.state.Store(nil)
	}()
	defer context.AfterFunc(lost, link.Cut)()
	return link.Run(ctx)
}

// newLink makes a component with everything that it answers.
func newLink(a *app, c *config.Component, onState func(component.State)) (*component.Component, error) {
	address, err := jid.Parse(c.JID)
	if err != nil {
		return nil, fmt.Errorf("component.jid: %w", err)
	}
	l, err := component.New(component.Config{
		JID: address, Addresses: c.Address, Logger: a.log, OnState: onState, Eager: eager,
		Secret: func() (string, error) { // asked for at every try
			if !a.member.Holds() {
				return "", errNotOurs
			}
			return c.Secret.Reveal(), nil
		},
	})
	if err != nil {
		return nil, err
	}
	protocols(l, a)
	return l, nil
}

// errNotOurs keeps a process from connecting that was stopped meanwhile, and has
// not been told yet that its time is over.
var errNotOurs = errors.New("this process may not have the link now")

// onLink notes how the link is, and tells the gateway. The component itself logs it.
func (a *app) onLink(lost context.Context, s component.State) {
	a.link.state.Store(&s)
	a.metrics.ComponentUp(s.Kind == component.Up)
	switch s.Kind {
	case component.Up:
		a.gateway.LinkUp(lost)
		if a.herald != nil {
			a.herald.linkUp()
		}
	case component.Down:
		a.gateway.LinkDown()
	}
}
