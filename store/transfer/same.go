package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rouse/session"
	"rouse/store"
)

// lookups is how many items are looked up side by side: on a machine far away
// each is a round trip.
const lookups = 32

// counterpart reads the item of another store that has the key of this one. What
// is not there comes back without what an item has.
func counterpart(ctx context.Context, s store.Store, i store.Item) (store.Item, error) {
	var found store.Item
	var err error
	switch {
	case i.Owner.Key != "":
		if found.Owner, err = s.Load(ctx, i.Owner.Key); err == nil && found.Owner.Version != 0 {
			found.Reasons, err = s.Reasons(ctx, i.Owner.Key, time.Time{})
		}
	case i.Registration.Node != "":
		found.Registration, err = s.Registration(ctx, i.Registration.Node)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
	case i.Reporter.Host != "":
		found.Reporter, err = s.Reporter(ctx, i.Reporter.Host)
	default:
		if found.Value, err = s.Keep(ctx, i.Name, ""); found.Value != "" {
			found.Name = i.Name
		}
	}
	return found, err
}

// here reports whether an item that counterpart gave is there.
func here(i store.Item) bool {
	return i.Owner.Version != 0 || i.Registration.Node != "" || i.Reporter.Host != "" || i.Name != ""
}

// void reports whether an item may as well not be there: a store may have taken it
// away by now because of its age, or would answer the same without it.
func void(i store.Item, now time.Time) bool {
	if r := i.Reporter; r.Host != "" {
		return r == store.Reporter{Host: r.Host}
	}
	r := i.Registration
	return r.Node != "" && r.Token == "" && r.Dead != "" && r.Died.Before(now.Add(-store.TombstoneAge))
}

// young gives the reasons that no store may have taken away by now.
func young(list []session.Reason, now time.Time) []session.Reason {
	var out []session.Reason
	for _, r := range list {
		if !r.At.Before(now.Add(-store.ReasonAge)) {
			out = append(out, r)
		}
	}
	return out
}

// same reports whether two items of one key hold the same, but for old reasons.
// Versions may differ, and what is empty may be nil or not.
func same(a, b store.Item, now time.Time) (bool, error) {
	if len(a.Owner.Account.Pending) != len(b.Owner.Account.Pending) || a.Owner.Key != b.Owner.Key {
		return false, nil
	}
	for k, w := range a.Owner.Account.Pending {
		o, ok := b.Owner.Account.Pending[k]
		if ok {
			ok = w.Since.Equal(o.Since) && w.Due.Equal(o.Due) && w.Lease.Equal(o.Lease)
			o.Since, o.Due, o.Lease = w.Since, w.Due, w.Lease
		}
		if !ok || o != w {
			return false, nil
		}
	}
	r, o := a.Registration, b.Registration
	if !r.Updated.Equal(o.Updated) || !r.Died.Equal(o.Died) {
		return false, nil
	}
	o.Updated, o.Died = r.Updated, r.Died
	if r != o || a.Reporter != b.Reporter || a.Name != b.Name || a.Value != b.Value {
		return false, nil
	}
	return sameText(state{a.Owner.Account, young(a.Reasons, now)}, state{b.Owner.Account, young(b.Reasons, now)})
}

type state struct {
	Account session.Account
	Reasons []session.Reason
}

// sameText compares as JSON, which has a form of its own for each value.
func sameText(a, b state) (bool, error) {
	a.Account, b.Account = a.Account.Clone(), b.Account.Clone() // with no map nil
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}

// verdict is what comes of comparing an item with what another store has.
type verdict uint8

const (
	equal verdict = iota
	different
	missing
)

// compare looks up items in another store, side by side.
func compare(ctx context.Context, s store.Store, items []store.Item, now func() time.Time) ([]verdict, error) {
	out := make([]verdict, len(items))
	errs := make([]error, len(items))
	slots := make(chan struct{}, lookups)
	var wg sync.WaitGroup
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i], errs[i] = lookUp(ctx, s, item, now)
		})
	}
	wg.Wait()
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return out, nil
	}
	return nil, errs[i]
}

func lookUp(ctx context.Context, s store.Store, i store.Item, now func() time.Time) (verdict, error) {
	found, err := counterpart(ctx, s, i)
	if err != nil {
		return 0, err
	}
	t := now() // after both were read
	if void(i, t) {
		return equal, nil
	}
	if void(found, t) || !here(found) {
		return missing, nil
	}
	ok, err := same(i, found, t)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name(i), err)
	}
	if !ok {
		return different, nil
	}
	return equal, nil
}

// name is an item for people. Of nodes a part will do, as in the log: nobody
// should be able to take one from an error.
func name(i store.Item) string {
	const shown = 6
	switch node := i.Registration.Node; {
	case strings.HasPrefix(i.Owner.Key, store.RollKey("")):
		return "what an account of another server registered"
	case i.Owner.Key != "" && store.Host(i.Owner.Key) == "":
		node = i.Owner.Key[len(store.NodeKey("")):]
		return "the state of the registration " + node[:min(shown, len(node))] + "…"
	case i.Owner.Key != "":
		return "the account " + i.Owner.Key
	case node != "":
		return "the registration " + node[:min(shown, len(node))] + "…"
	case i.Reporter.Host != "":
		return "how far the module of " + i.Reporter.Host + " has come"
	}
	return "what is kept as " + i.Name
}
