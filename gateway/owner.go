package gateway

import (
	"context"
	"errors"
	"fmt"

	"rouse/session"
	"rouse/store"
)

// decide is one decision: pure, and repeated when the owner changed meanwhile.
type decide func(session.Account) (session.Account, []session.Reason)

// operation waits in a mailbox for its turn.
type operation struct {
	ctx    context.Context
	decide decide
	forget bool // the owner goes
	done   chan error
}

// box is an owner's mailbox. Its goroutine lives as long as there is mail.
type box struct{ mail []operation }

// do has the owner decide, and returns when that is durable.
func (g *Gateway) do(ctx context.Context, key string, d decide) error {
	return g.post(ctx, key, operation{ctx: ctx, decide: d, done: make(chan error, 1)})
}

func (g *Gateway) post(ctx context.Context, key string, op operation) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrClosed
	}
	b := g.boxes[key]
	if b == nil {
		b = &box{}
		g.boxes[key] = b
		g.wg.Go(func() { g.own(key, b) })
	}
	if len(b.mail) >= mailbox {
		g.mu.Unlock()
		return ErrBusy
	}
	b.mail = append(b.mail, op)
	g.mu.Unlock()
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx) // it may still be decided; whoever repeats it is known by its counter
	}
}

// own works a mailbox off, in order, many operations in one commit.
func (g *Gateway) own(key string, b *box) {
	for {
		g.mu.Lock()
		if len(b.mail) == 0 {
			delete(g.boxes, key)
			g.mu.Unlock()
			return
		}
		n := min(len(b.mail), perTurn)
		turn := b.mail[:n:n]
		b.mail = b.mail[n:]
		g.mu.Unlock()
		err := g.turn(key, turn)
		for _, op := range turn {
			op.done <- err
		}
	}
}

// turn decides several operations and commits them as one.
func (g *Gateway) turn(key string, ops []operation) error {
	ctx := context.WithoutCancel(ops[0].ctx) // one caller that gives up must not fail its neighbours
	for {
		before, err := g.load(ctx, key)
		if err != nil {
			return err
		}
		c := store.Commit{Key: key, Version: before.Version, Account: before.Account}
		for _, op := range ops {
			if op.forget {
				c.Forget, c.Account, c.Reasons = true, session.Account{}.Clone(), nil
				continue
			}
			var reasons []session.Reason
			c.Account, reasons = op.decide(c.Account)
			c.Reasons = append(c.Reasons, reasons...)
			if len(reasons) > 0 {
				c.Forget = false // something new after all
			}
		}
		c.Put, c.Drop = session.Changes(before.Account, c.Account)
		version, err := g.cfg.Store.Commit(ctx, c)
		if errors.Is(err, store.ErrConflict) {
			g.owners.drop(key)
			continue
		}
		if err != nil {
			g.owners.drop(key)
			return fmt.Errorf("gateway: commit: %w", err)
		}
		g.committed(key, version, c)
		return nil
	}
}

func (g *Gateway) load(ctx context.Context, key string) (store.Owner, error) {
	if o, ok := g.owners.get(key); ok {
		return o, nil
	}
	o, err := g.cfg.Store.Load(ctx, key)
	if err != nil {
		return o, fmt.Errorf("gateway: load: %w", err)
	}
	return o, nil
}

func (g *Gateway) committed(key string, version uint64, c store.Commit) {
	if c.Forget {
		g.owners.drop(key)
	} else {
		g.owners.put(key, store.Owner{Key: key, Version: version, Account: c.Account})
	}
	if len(c.Put) > 0 {
		g.nudge()
	}
	for _, r := range c.Reasons {
		g.log.Debug("decided", "owner", key, "rule", r.Rule, "event", r.Event, "verdict", r.Verdict, "class", r.Class, "session", r.Session, "why", r.Why)
		if g.cfg.Observer != nil && r.Event != session.Test {
			g.cfg.Observer.Decision(r.Rule, r.Verdict)
		}
	}
}
