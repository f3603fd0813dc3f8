package gateway

import (
	"context"
	"errors"
	"time"

	"rouse/session"
	"rouse/store"
)

// Offer is what publish-options say of a device that nobody has to register: its
// node or its options name the provider's token (Fpush, Mongoose).
type Offer struct {
	Family session.Family
	App    string
	Token  string
}

// again is after how long the token of a device that cannot register is tried
// once more, though the provider called it dead.
const again = 24 * time.Hour

// addressed finds the device that a publish is for. What shows that a node means
// anything here is looked at before the store is: a guess costs nothing.
func (g *Gateway) addressed(ctx context.Context, p *PublishRequest, node string) (session.Registration, Answer) {
	ours, proved := g.cfg.Nodes.Ours(p.Node), g.cfg.Nodes.Proves(p.Secret, node)
	offered := p.Offer != nil && !ours && !proved
	if !ours && !proved && !offered {
		return session.Registration{}, NoNode
	}
	p.counted = offered && !g.remembers(node) && !g.Reports(p.From)
	if p.counted && !g.within(p.From) {
		return session.Registration{}, Later // nothing proves that it is more than a guess
	}
	reg, err := g.registration(ctx, node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if !offered {
			g.lost(node)
			return reg, Later
		}
		return g.adopt(ctx, p.From, node, *p.Offer, p.counted)
	case err != nil:
		g.log.Error("publish: cannot read the registration", "err", err)
		return reg, Later
	case p.From != reg.Domain, reg.Family.Issued() != ours, reg.Family.Secret() && !proved:
		return reg, Forbidden
	case offered && (reg.Family != p.Offer.Family):
		return reg, Forbidden
	case offered && (reg.App != p.Offer.App || !equal(reg.Token, p.Offer.Token) || !reg.Live() && g.cfg.Now().Sub(reg.Died) >= again):
		return g.adopt(ctx, p.From, node, *p.Offer, p.counted)
	case !reg.Live():
		g.part(reg) // it may have died in a process without the link
		return reg, NoNode
	}
	return reg, Accepted
}

// adopt registers a device that its own server speaks for. Whoever publishes can
// have any number of them, so each counts against its domain, as one that
// registers does.
func (g *Gateway) adopt(ctx context.Context, domain, node string, o Offer, counted bool) (session.Registration, Answer) {
	reg := session.Registration{
		Node: node, Family: o.Family, App: o.App, Token: o.Token, Domain: domain, Updated: g.cfg.Now(),
	}
	if !counted && !g.within(domain) || g.newcomer(domain) > 0 {
		return reg, Later
	}
	if err := g.keep(ctx, reg); err != nil {
		g.log.Error("publish: cannot register the device", "err", err)
		return reg, Later
	}
	return reg, Accepted
}

// canonical has an event mean the node that it has here.
func (g *Gateway) canonical(e session.Event) session.Event {
	host := store.Host(e.Account)
	e.Address = g.local(host, e.Address)
	if len(e.Published) > 0 {
		list := make([]session.Address, len(e.Published))
		for i, a := range e.Published {
			list[i] = g.local(host, a)
		}
		e.Published = list
	}
	return e
}

func (g *Gateway) local(host string, a session.Address) session.Address {
	if a.Service == g.cfg.Service && a.Node != "" {
		a.Node = g.cfg.Nodes.Canonical(host, a.Node)
	}
	return a
}

// judge says of an endpoint of ours whether it can be used at all: somebody must
// have registered it, and it is proved by its secret, or by the account where its
// family has none.
func (g *Gateway) judge(ctx context.Context, e session.Event) (session.Event, error) {
	chosen := e.Address.Node
	e = g.canonical(e)
	if e.Kind != session.Enable && e.Kind != session.StoredRow || e.Address.Service != g.cfg.Service {
		return e, nil
	}
	node := e.Address.Node
	switch {
	case node == "":
		e.Reason = "it has no node"
		return e, nil
	case g.cfg.Nodes.Marks(e.Secret, node):
		return e, nil
	case e.Secret != "":
		e.Reason = "the secret does not belong to the node"
		return e, nil
	}
	host := store.Host(e.Account)
	reg, err := g.registration(ctx, node)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return e, err
	case err == nil && !reg.Family.Secret() && reg.Family.Issued():
		if reg.Domain != host || reg.Account != e.Account {
			e.Reason = "another account has this node"
		}
		return e, nil
	case g.cfg.Nodes.Ours(chosen) && err != nil:
		e.Reason = "no registration has this node"
		return e, nil
	case err == nil && reg.Family.Secret():
		e.Reason = "the secret does not belong to the node"
		return e, nil
	}
	return g.speaksFor(ctx, e, chosen, reg, err == nil)
}

// speaksFor takes the enabling of a device that does not register, as a publish
// for it would be taken.
func (g *Gateway) speaksFor(ctx context.Context, e session.Event, chosen string, reg session.Registration, known bool) (session.Event, error) {
	if g.cfg.Offers == nil {
		e.Reason = "the node was not issued here"
		return e, nil
	}
	offer := g.cfg.Offers(chosen, e.Module)
	switch {
	case known && reg.Live() && offer == nil, known && reg.Live() && equal(reg.Token, offer.Token):
		return e, nil
	case offer == nil:
		e.Reason = "the node was not issued here"
		return e, nil
	case known && g.cfg.Now().Sub(reg.Died) < again:
		e.Reason = reg.Dead
		return e, nil
	}
	if _, answer := g.adopt(ctx, store.Host(e.Account), e.Address.Node, *offer, false); answer != Accepted {
		e.Reason = "too many devices at once" // it is enabled again soon
	}
	return e, nil
}

// owns reports whether the end of an account is the end of a registration too.
// Others may have a node that is no more than a token.
func (g *Gateway) owns(ctx context.Context, account string, addr session.Address, ep session.Endpoint) (bool, error) {
	if g.cfg.Nodes.Marks(ep.Secret, addr.Node) {
		return true, nil
	}
	if ep.Secret != "" || !g.cfg.Nodes.Ours(addr.Node) {
		return false, nil
	}
	reg, err := g.registration(ctx, addr.Node)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return reg.Account == account, err
}
