package gateway

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Device is all that there is of one device, for people. Any process can be asked,
// and none but who asks is disturbed.
type Device struct {
	session.Registration
	Service  string            // of the endpoint: our own, or a third party's
	Account  string            // bare JID; empty: nobody knows
	Since    time.Time         // when it first registered; zero: unknown
	Owner    string            // where its wakes are decided
	Endpoint *session.Endpoint // as the account's server has it; nil: it told of none
	Session  *session.Session  // that has it; nil: none
	Owed     map[session.Class]session.Wake
	Last     *session.Reason // what last came of a wake; nil: nothing is on record
}

// Ours reports whether the device registered here.
func (d *Device) Ours() bool { return d.App != "" }

// Registrations gives the devices of a domain, or all. There is no more of each
// than its registration: the rest is read for one account, or for one device.
func (g *Gateway) Registrations(ctx context.Context, domain string) iter.Seq2[Device, error] {
	return func(yield func(Device, error) bool) {
		for r, err := range g.cfg.Store.Registrations(ctx) {
			if err == nil && (r.Token == "" || domain != "" && r.Domain != domain) {
				continue
			}
			if !yield(Device{Registration: r, Service: g.cfg.Service, Account: r.Account}, err) || err != nil {
				return
			}
		}
	}
}

// DevicesOf gives the devices of an account: what it registered and, where its
// server tells us, what it enabled, with push services of others too. That of an
// account of another server that registered before there were lists is missing.
func (g *Gateway) DevicesOf(ctx context.Context, account string) ([]Device, error) {
	roll, err := g.cfg.Store.Load(ctx, g.rollOf(account))
	if err != nil {
		return nil, err
	}
	addresses := make([]session.Address, 0, len(roll.Account.Devices))
	for _, d := range roll.Account.Devices {
		addresses = append(addresses, session.Address{Service: g.cfg.Service, Node: d.Node})
	}
	for a := range roll.Account.Endpoints {
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	var list []Device
	for _, a := range addresses {
		d, err := g.describe(ctx, a, account)
		if errors.Is(err, ErrUnknown) || err == nil && d.Token == "" && d.Endpoint == nil {
			continue // it ended
		}
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Device) int {
		if n := b.Updated.Compare(a.Updated); n != 0 {
			return n
		}
		return strings.Compare(a.Node, b.Node)
	})
	return list, nil
}

// Device gives the one of a node, as its server knows it, or as it is known here.
// Whose it is need not be known, unless the client chose the node.
func (g *Gateway) Device(ctx context.Context, node, account string) (Device, error) {
	if !g.cfg.Nodes.Ours(node) {
		switch _, err := g.cfg.Store.Registration(ctx, node); {
		case errors.Is(err, store.ErrNotFound) && account != "":
			node = g.cfg.Nodes.Stand(store.Host(account), node)
		case err != nil:
			return Device{}, unknown(err)
		}
	}
	address := session.Address{Service: g.cfg.Service, Node: node}
	d, err := g.describe(ctx, address, account)
	if err != nil || account != "" {
		return d, err
	}
	if account, err = g.whose(ctx, d); err != nil || account == "" {
		return d, err
	}
	return g.describe(ctx, address, account)
}

// whose looks among the accounts of the device's host for the one that enabled it.
func (g *Gateway) whose(ctx context.Context, d Device) (string, error) {
	if d.Registration.Account != "" || !g.Reports(d.Domain) {
		return d.Registration.Account, nil
	}
	for account, err := range g.cfg.Store.Owners(ctx, d.Domain) {
		if err != nil {
			return "", err
		}
		o, err := g.cfg.Store.Load(ctx, account)
		if err != nil {
			return "", err
		}
		if _, enabled := o.Account.Endpoints[session.Address{Service: d.Service, Node: d.Node}]; enabled || onRoll(o.Account, d.Node) >= 0 {
			return account, nil
		}
	}
	return "", nil
}

func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknown
	}
	return err
}

// describe reads what there is, past all that is in memory. An endpoint without a
// registration is a device too: somebody wonders why it is not woken.
func (g *Gateway) describe(ctx context.Context, a session.Address, account string) (Device, error) {
	d := Device{Service: a.Service, Account: account, Owner: store.NodeKey(a.Node), Owed: make(map[session.Class]session.Wake)}
	d.Node = a.Node
	var missing bool
	if a.Service == g.cfg.Service {
		r, err := g.cfg.Store.Registration(ctx, a.Node)
		if missing = errors.Is(err, store.ErrNotFound); err != nil && !missing {
			return d, err
		}
		if d.Registration, d.Node = r, a.Node; d.Account == "" {
			d.Account = r.Account
		}
	}
	owners := []string{store.NodeKey(a.Node)}
	if g.Reports(store.Host(account)) {
		owners = append(owners, account)
	}
	for _, key := range owners {
		o, err := g.cfg.Store.Load(ctx, key)
		if err != nil {
			return d, err
		}
		if ep, ok := o.Account.Endpoints[a]; ok && key == account {
			d.Owner, d.Endpoint = key, &ep
			if s, there := o.Account.Sessions[ep.Owner]; there {
				d.Session = &s
			}
		}
		for k, w := range o.Account.Pending {
			if k.Address == a {
				d.Owed[k.Class] = w
			}
		}
		if err := g.lastWake(ctx, key, a, &d); err != nil {
			return d, err
		}
	}
	if account != "" {
		roll, err := g.cfg.Store.Load(ctx, g.rollOf(account))
		if err != nil {
			return d, err
		}
		if i := onRoll(roll.Account, a.Node); i >= 0 {
			d.Since = roll.Account.Devices[i].Since
		}
	}
	if missing && d.Endpoint == nil {
		return d, ErrUnknown
	}
	return d, nil
}

func (g *Gateway) lastWake(ctx context.Context, owner string, a session.Address, d *Device) error {
	list, err := g.cfg.Store.Reasons(ctx, owner, time.Time{})
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		switch r.Verdict {
		case session.Sent, session.Again, session.GaveUp, session.Died:
			if r.Endpoint == a && (d.Last == nil || !r.At.Before(d.Last.At)) {
				d.Last = r
			}
		}
	}
	return nil
}

const forgotten = "taken out by an operator"

// ForgetDevice ends a registration, and what is owed to it. The end comes first and
// is durable: whatever breaks off after that, nothing is sent to the device, and
// publishes are answered so that their server forgets it. Once more does the rest.
func (g *Gateway) ForgetDevice(ctx context.Context, node, account string) (Device, error) {
	d, err := g.Device(ctx, node, account)
	if err != nil {
		return d, err
	}
	switch err := g.cfg.Store.Unregister(ctx, d.Node, forgotten, g.cfg.Now()); {
	case errors.Is(err, store.ErrNotFound):
		return d, ErrUnknown
	case err != nil:
		return d, err
	}
	g.regs.drop(d.Node)
	key := store.NodeKey(d.Node)
	for c := session.Silent; c < session.NumClasses; c++ {
		g.contents.drop(contentKey(key, session.WakeKey{Address: session.Address{Node: d.Node}, Class: c}))
	}
	if o, err := g.cfg.Store.Load(ctx, key); err != nil {
		return d, err
	} else if o.Version != 0 {
		if err := g.post(ctx, key, operation{ctx: ctx, forget: true, done: make(chan error, 1)}); err != nil {
			return d, err
		}
	}
	if d.Endpoint != nil {
		e := session.Event{Kind: session.Gone, Reason: forgotten, Address: session.Address{Service: d.Service, Node: d.Node}}
		if err := g.do(ctx, d.Owner, func(a session.Account) (session.Account, []session.Reason) {
			return business.Decide(a, e, g.cfg.Policy(), g.cfg.Now())
		}); err != nil {
			return d, err
		}
	}
	if d.Account != "" {
		err = g.strike(ctx, d.Account, d.Node)
	}
	return d, err
}

// Note puts a line on the record of a device's owner, and changes nothing else.
func (g *Gateway) Note(ctx context.Context, owner string, r session.Reason) error {
	return g.do(ctx, owner, func(a session.Account) (session.Account, []session.Reason) { return a, []session.Reason{r} })
}
