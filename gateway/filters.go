package gateway

import (
	"context"
	"errors"
	"slices"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Ours reports whether wakes of an account are decided here.
func (g *Gateway) Ours(account string) bool { return g.Reports(store.Host(account)) }

// Choices gives what an account does not want to be woken for, and its devices with
// what each of them does not.
func (g *Gateway) Choices(ctx context.Context, account string) (*session.Filter, []Device, error) {
	o, err := g.load(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	devices, err := g.DevicesOf(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	return o.Account.Filter, slices.DeleteFunc(devices, func(d Device) bool { return d.Endpoint == nil }), nil
}

// Choose sets the filter of a device of an account, or with a zero address that of
// all. ErrUnknown: there is no such device.
func (g *Gateway) Choose(ctx context.Context, account string, device session.Address, f *session.Filter) error {
	found := true
	err := g.do(ctx, account, func(a session.Account) (session.Account, []session.Reason) {
		if _, found = a.Endpoints[device]; !found && device != (session.Address{}) {
			return a, nil
		}
		found = true
		return business.Decide(a, session.Event{Kind: session.Choose, Account: account, Address: device, Filter: f}, g.cfg.Policy(), g.cfg.Now())
	})
	return errors.Join(err, map[bool]error{false: ErrUnknown}[found])
}
