package gateway

import (
	"context"
	"slices"
	"time"

	"rouse/session"
	"rouse/store"
)

// Record is what is on record about an account.
type Record struct {
	Known   bool             // something is kept under its name
	Ours    bool             // its server reports to us; else there is only what was published to its devices
	Reasons []session.Reason // by time
	Devices []Device
}

// RecordOf gives what was decided about an account since a time: by its own events,
// and by what others published to devices of its. Any process can be asked.
func (g *Gateway) RecordOf(ctx context.Context, account string, since time.Time) (Record, error) {
	r := Record{Ours: g.Reports(store.Host(account))}
	var err error
	if r.Devices, err = g.DevicesOf(ctx, account); err != nil {
		return r, err
	}
	var owners []string
	if r.Ours {
		o, err := g.cfg.Store.Load(ctx, account)
		if err != nil {
			return r, err
		}
		r.Known = o.Version != 0
		owners = append(owners, account)
	}
	for _, d := range r.Devices {
		r.Known = true
		owners = append(owners, store.NodeKey(d.Node))
	}
	for _, key := range owners {
		list, err := g.cfg.Store.Reasons(ctx, key, since)
		if err != nil {
			return r, err
		}
		r.Reasons = append(r.Reasons, list...)
	}
	slices.SortStableFunc(r.Reasons, func(a, b session.Reason) int { return a.At.Compare(b.At) })
	return r, nil
}
