package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"rouse/session"
	"rouse/store"
)

// ErrTaken: the node is another account's, or was registered in another way.
var ErrTaken = errors.New("gateway: the node is taken")

// ErrUnknown: there is no such registration.
var ErrUnknown = errors.New("gateway: there is no such registration")

// RegisterRequest is one device that wants to be woken.
type RegisterRequest struct {
	Family   session.Family
	Account  string // bare JID of who asks
	Provider string // what the client calls the provider; part of the device's identity
	App      string // [[app]] that will send
	Token    string
	Calls    string // another token, for calls; may be empty
	Device   string // hex SHA-1 of bare JID, NUL, and what stays the same on this device
	Node     string // Appserver: what the client calls the device
	Channel  string // P2: the same hash for a room; empty: it is for the account
	Domain   string // P2: of the room
}

// registration gives what is kept of a request.
func (r *RegisterRequest) registration(n *Nodes, now time.Time) session.Registration {
	_, domain, _ := strings.Cut(r.Account, "@")
	reg := session.Registration{
		Family: r.Family, App: r.App, Token: r.Token, Calls: r.Calls, Device: r.Device, Domain: domain, Updated: now,
	}
	switch {
	case r.Family == session.Appserver:
		reg.Node = n.Stand(domain, r.Node)
	case r.Family == session.Tigase:
		reg.Node, reg.Account = n.Issue("tigase\x00"+r.Provider, r.Device), r.Account
	case r.Channel != "":
		reg.Node, reg.Channel, reg.Domain = n.Issue(r.Provider, r.Device+"\x00"+r.Channel), r.Channel, r.Domain
	default:
		reg.Node = n.Issue(r.Provider, r.Device)
	}
	return reg
}

// Register keeps a device and gives the node and the secret under which servers
// publish to it. The same device gets the same ones again. ErrTaken: the client
// chose a node that is not its own.
func (g *Gateway) Register(ctx context.Context, r RegisterRequest) (node, secret string, err error) {
	if !g.holds() { // a token from before could take the place of a newer one
		return "", "", ErrStandby
	}
	if err := g.may(r.Account); err != nil {
		return "", "", err
	}
	reg := r.registration(g.cfg.Nodes, g.cfg.Now())
	if err := g.welcome(ctx, reg, r.Account); err != nil {
		return "", "", err
	}
	if r.Family == session.Appserver {
		if err := g.free(ctx, reg, r.Node); err != nil {
			return "", "", err
		}
	}
	if err := g.keep(ctx, reg); err != nil {
		return "", "", err
	}
	if err := g.enrol(ctx, r.Account, reg); err != nil {
		return "", "", err
	}
	return reg.Node, g.cfg.Nodes.Secret(reg.Node), nil
}

// free reports whether a client may have a node of its own choice. What ended may
// be had by anybody; so may what is the same device, logged in with two accounts.
func (g *Gateway) free(ctx context.Context, reg session.Registration, chosen string) error {
	if g.cfg.Nodes.Ours(chosen) {
		return ErrTaken
	}
	was, err := g.cfg.Store.Registration(ctx, reg.Node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case was.Token == "": // a tombstone
		return nil
	case was.Family != reg.Family, !equal(was.Device, reg.Device) && !equal(was.Token, reg.Token):
		return ErrTaken
	}
	return nil
}

// Unregister ends what Register began, for who asks with the same words. What
// servers publish afterwards is answered so that they forget it too. It may be
// asked of any process: by HTTP it is.
func (g *Gateway) Unregister(ctx context.Context, r RegisterRequest) error {
	reg := r.registration(g.cfg.Nodes, g.cfg.Now())
	was, err := g.cfg.Store.Registration(ctx, reg.Node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknown
	case err != nil:
		return err
	case was.Family != reg.Family || !equal(was.Device, reg.Device): // a tombstone has no device
		return ErrUnknown
	}
	if err := g.cfg.Store.Unregister(ctx, reg.Node, "the app unregistered", g.cfg.Now()); err != nil {
		return err
	}
	g.regs.drop(reg.Node)
	g.part(was)
	return g.strike(ctx, r.Account, reg.Node)
}

// keep writes a registration.
func (g *Gateway) keep(ctx context.Context, reg session.Registration) error {
	if err := g.cfg.Store.Register(ctx, reg); err != nil {
		return err
	}
	g.regs.drop(reg.Node)
	g.parted.drop(reg.Node)
	return nil
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
