package gateway

import (
	"context"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Answer is what a publish is answered with (DESIGN "What answers what").
type Answer uint8

const (
	Accepted  Answer = iota // delivered, owed durably, or joined to what is owed
	Later                   // our fault, or a passing one: the registration must survive it
	NoNode                  // there is no such device, and there will be none
	Forbidden               // the secret or the domain is wrong
)

// PublishRequest is one XEP-0357 §7 publish.
type PublishRequest struct {
	From    string // domain that publishes
	Node    string // as its client enabled it
	Secret  string
	Offer   *Offer // nil: the device has to have registered
	Class   session.Class
	Count   int
	Content session.Content

	counted bool // against the rate of From, already
}

// Publish owes the device behind a node a wake, and returns when that is durable.
func (g *Gateway) Publish(ctx context.Context, p PublishRequest) Answer {
	if g.cfg.Observer != nil {
		g.cfg.Observer.Event(session.Publish)
	}
	if !g.holds() {
		return Later
	}
	node := g.cfg.Nodes.Canonical(p.From, p.Node)
	reg, answer := g.addressed(ctx, &p, node)
	if answer != Accepted {
		return answer
	}
	if !p.counted && !g.admits(p) {
		return Later
	}
	e := session.Event{
		Kind: session.Publish, Class: p.Class, Count: p.Count,
		Address: session.Address{Service: g.cfg.Service, Node: node},
	}
	g.tell(node, reg.App, &p)
	err := g.do(ctx, store.NodeKey(node), func(a session.Account) (session.Account, []session.Reason) {
		return business.Decide(a, e, g.cfg.Policy(), g.cfg.Now())
	})
	if err != nil {
		g.log.Error("publish: not taken", "err", err)
		return Later
	}
	return Accepted
}
