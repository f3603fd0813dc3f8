package transfer

import (
	"context"
	"errors"
	"time"

	"rouse/store"
)

// Marker is the name under which the target of a copy remembers, until the copy
// is finished, what it is a copy of. A store with it is not to be worked on.
const Marker = "copy-of"

// nodeKey is where the fingerprint of the node key is kept.
const nodeKey = "node-key"

// batch is how many items are written at once. An item is some kilobytes, and one
// with a full record some ten.
const batch = 128

// Error says what keeps a store from being copied, and what to do.
type Error struct{ Cause, Remedy string }

func (e *Error) Error() string { return e.Cause }

// Hint gives the remedy.
func (e *Error) Hint() string { return e.Remedy }

// ErrStopped: ctx ended between two batches.
var ErrStopped = &Error{"stopped, and the copy is unfinished", "the same command goes on where this one ended"}

// The phases of a copy, as Progress names them.
const (
	Copying  = "copying"
	Checking = "checking" // that the source is in the target
	Counting = "counting" // what is in the target
)

// Progress is how far a copy has come in its phase.
type Progress struct {
	Phase   string
	Items   int
	Written int // of which were not there yet
	Of      int // items there are; 0: not known yet
}

// Options of a copy. All fields are required.
type Options struct {
	Source   string         // names the source; a copy that goes on must have the same
	Progress func(Progress) // called after each batch
	Now      func() time.Time
}

// Unfinished gives what a store is an unfinished copy of; empty: it is none.
func Unfinished(ctx context.Context, s store.Store) (source string, err error) {
	return s.Keep(ctx, Marker, "")
}

// Copy copies everything into an empty store, or goes on with a copy that was
// broken off, and proves that both hold the same. What was being sent when the
// source stopped is due at once in the target.
func Copy(ctx context.Context, from, to store.Store, o Options) (Tally, error) {
	c := &copying{from: from, to: to, Options: o}
	t, err := c.all(ctx)
	if err != nil && ctx.Err() != nil {
		var why *Error
		if errors.As(context.Cause(ctx), &why) {
			return t, why
		}
		return t, ErrStopped
	}
	return t, err
}

type copying struct {
	from, to store.Store
	Options
	resumed bool
	written int
}

func (c *copying) all(ctx context.Context) (Tally, error) {
	if err := c.begin(ctx); err != nil {
		return Tally{}, err
	}
	t, err := c.copy(ctx)
	if err != nil {
		return t, err
	}
	if err := c.check(ctx, t); err != nil {
		return t, err
	}
	if err := c.to.EndLeases(ctx, ""); err != nil {
		return t, err
	}
	if err := c.to.Verify(ctx); err != nil {
		return t, err
	}
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	return t, c.put(ctx, store.Item{Name: Marker})
}

// begin refuses what cannot be copied, and marks the target.
func (c *copying) begin(ctx context.Context) error {
	if of, err := Unfinished(ctx, c.from); err != nil {
		return err
	} else if of != "" {
		return &Error{"the source is itself an unfinished copy, of " + of, "finish that one first"}
	}
	of, err := Unfinished(ctx, c.to)
	switch {
	case err != nil:
		return err
	case of == c.Source:
		c.resumed = true
		return c.sameKey(ctx)
	case of != "":
		return &Error{"the target is an unfinished copy of another store: " + of, "finish that one, or name an empty store"}
	}
	for _, err := range c.to.Items(ctx) {
		if err != nil {
			return err
		}
		return &Error{"the target is not empty", "name an empty store: a copy does not mix with what is there"}
	}
	return c.put(ctx, store.Item{Name: Marker, Value: c.Source})
}

// sameKey: the source may have been replaced by another of its name.
func (c *copying) sameKey(ctx context.Context) error {
	theirs, err := c.from.Keep(ctx, nodeKey, "")
	if err != nil {
		return err
	}
	ours, err := c.to.Keep(ctx, nodeKey, "")
	if err != nil {
		return err
	}
	if ours != "" && ours != theirs {
		return &Error{"the target is an unfinished copy of a store with another node key", "is the source still the same store? Name an empty target"}
	}
	return nil
}

func (c *copying) copy(ctx context.Context) (Tally, error) {
	var t Tally
	err := c.batches(ctx, c.from, func(items []store.Item) error {
		now := c.Now()
		for i := range items {
			items[i].Reasons = young(items[i].Reasons, now)
			t.add(items[i])
		}
		if c.resumed {
			found, err := compare(ctx, c.to, items, c.Now)
			if err != nil {
				return err
			}
			rest := items[:0]
			for i, v := range found {
				if v != equal {
					rest = append(rest, items[i])
				}
			}
			items = rest
		}
		if err := c.put(ctx, items...); err != nil {
			return err
		}
		c.written += len(items)
		c.Progress(Progress{Phase: Copying, Items: t.Items(), Written: c.written})
		return nil
	})
	return t, err
}

// check reads everything again: each item of the source must have its equal in the
// target, which must not have more.
func (c *copying) check(ctx context.Context, copied Tally) error {
	checked := 0
	err := c.batches(ctx, c.from, func(items []store.Item) error {
		found, err := compare(ctx, c.to, items, c.Now)
		if err != nil {
			return err
		}
		for i, v := range found {
			const remedy = "does something else write to one of the stores? Give the same command again: it copies what differs"
			switch v {
			case different:
				return &Error{name(items[i]) + " is not the same in the copy", remedy}
			case missing:
				return &Error{name(items[i]) + " is not in the copy", remedy}
			}
		}
		checked += len(items)
		c.Progress(Progress{Phase: Checking, Items: checked, Written: c.written, Of: copied.Items()})
		return nil
	})
	if err != nil {
		return err
	}
	var there Tally
	err = c.batches(ctx, c.to, func(items []store.Item) error {
		for _, i := range items {
			there.add(i)
		}
		c.Progress(Progress{Phase: Counting, Items: there.Items(), Written: c.written, Of: copied.Items()})
		return nil
	})
	if err != nil {
		return err
	}
	if there.Items() == copied.Items()+1 { // the marker
		return nil
	}
	return c.surplus(ctx)
}

// surplus names what the copy has and the source does not, or not any more.
func (c *copying) surplus(ctx context.Context) error {
	return c.batches(ctx, c.to, func(items []store.Item) error {
		found, err := compare(ctx, c.from, items, c.Now)
		if err != nil {
			return err
		}
		for i, v := range found {
			if v != equal && items[i].Name != Marker {
				return &Error{name(items[i]) + " is in the copy, and not so in the source",
					"the source was changed after the copy was begun: take the target away and copy anew"}
			}
		}
		return nil
	})
}

// batches reads what is not void in batches. It ends between two when ctx does.
func (c *copying) batches(ctx context.Context, s store.Store, do func([]store.Item) error) error {
	items := make([]store.Item, 0, batch)
	for item, err := range s.Items(ctx) {
		if err != nil {
			return err
		}
		if void(item, c.Now()) {
			continue
		}
		if items = append(items, item); len(items) < batch {
			continue
		}
		if err := do(items); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		items = items[:0]
	}
	if len(items) == 0 {
		return ctx.Err()
	}
	return do(items)
}

// put writes, and is not broken off by a ctx that ends.
func (c *copying) put(ctx context.Context, items ...store.Item) error {
	if len(items) == 0 {
		return nil
	}
	return c.to.Put(context.WithoutCancel(ctx), items)
}
