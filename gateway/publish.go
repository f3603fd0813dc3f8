package gateway

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

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
	From   string // domain that publishes
	Node   string
	Secret string
	Class  session.Class
	Count  int
}

// Publish owes the device behind a node a wake, and returns when that is durable.
func (g *Gateway) Publish(ctx context.Context, p PublishRequest) Answer {
	if g.cfg.Observer != nil {
		g.cfg.Observer.Event(session.Publish)
	}
	if !g.holds() {
		return Later
	}
	if !g.cfg.Nodes.Ours(p.Node) {
		return NoNode
	}
	reg, err := g.registration(ctx, p.Node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		g.lost(p.Node)
		return Later
	case err != nil:
		g.log.Error("publish: cannot read the registration", "err", err)
		return Later
	case subtle.ConstantTimeCompare([]byte(p.Secret), []byte(g.cfg.Nodes.Secret(p.Node))) != 1, p.From != reg.Domain:
		return Forbidden
	case !reg.Live():
		return NoNode
	}
	e := session.Event{
		Kind: session.Publish, Class: p.Class, Count: p.Count,
		Address: session.Address{Service: g.cfg.Service, Node: p.Node},
	}
	err = g.do(ctx, store.NodeKey(p.Node), func(a session.Account) (session.Account, []session.Reason) {
		return business.Decide(a, e, g.cfg.Policy(), g.cfg.Now())
	})
	if err != nil {
		g.log.Error("publish: not taken", "err", err)
		return Later
	}
	return Accepted
}

// RegisterRequest is one device that wants to be woken.
type RegisterRequest struct {
	Account  string // bare JID of who asks
	Provider string // apns or fcm; part of the device's identity
	App      string // [[app]] that will send
	Token    string
	Device   string // p2: hex SHA-1 of bare JID, NUL, device id
}

// Register keeps a device and gives the node and the secret under which servers
// publish to it. The same device gets the same ones again.
func (g *Gateway) Register(ctx context.Context, r RegisterRequest) (node, secret string, err error) {
	if !g.holds() { // a token from before could take the place of a newer one
		return "", "", ErrStandby
	}
	_, domain, _ := strings.Cut(r.Account, "@")
	node = g.cfg.Nodes.Issue(r.Provider, r.Device)
	err = g.cfg.Store.Register(ctx, session.Registration{
		Node: node, App: r.App, Token: r.Token, Device: r.Device, Domain: domain, Updated: g.cfg.Now(),
	})
	if err != nil {
		return "", "", err
	}
	g.regs.drop(node)
	if g.Reports(domain) {
		e := session.Event{Kind: session.Renew, Address: session.Address{Service: g.cfg.Service, Node: node}}
		err = g.do(ctx, r.Account, func(a session.Account) (session.Account, []session.Reason) {
			return business.Decide(a, e, g.cfg.Policy(), g.cfg.Now())
		})
	}
	return node, g.cfg.Nodes.Secret(node), err
}

// known is a registration in memory, as it stood at a time.
type known struct {
	session.Registration
	at time.Time
}

// registration reads through the cache. Devices register over the link: whoever
// has it knows of every new token. Workers of others may bury one meanwhile.
func (g *Gateway) registration(ctx context.Context, node string) (session.Registration, error) {
	now, cache := g.cfg.Now(), !g.cfg.Shared || g.linked.Load()
	if k, ok := g.regs.get(node); ok && cache && (!g.cfg.Shared || now.Sub(k.at).Abs() < fresh) {
		return k.Registration, nil
	}
	r, err := g.cfg.Store.Registration(ctx, node)
	if err == nil && cache {
		g.regs.put(node, known{r, now})
	}
	return r, err
}

// NewKey makes a node key, in the form that NewNodes takes.
func NewKey(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}
