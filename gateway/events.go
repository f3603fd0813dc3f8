package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Take applies a batch of a server module and returns when it is durable. A nil
// error means: never send it again.
func (g *Gateway) Take(ctx context.Context, b session.Batch) error {
	host := g.hosts[b.Host]
	if host == nil {
		return fmt.Errorf("gateway: %s is not a configured host", b.Host)
	}
	if !g.holds() {
		return ErrStandby
	}
	turn, err := host.turn(b.Node)
	if err != nil {
		return err
	}
	turn.Lock()
	defer turn.Unlock()
	rep, err := g.cfg.Store.Reporter(ctx, session.Reporter(b.Host, b.Node))
	if err != nil {
		return err
	}
	before := rep
	if b.Epoch < rep.Epoch || b.Epoch == rep.Epoch && b.Seq <= rep.Seq {
		return nil // a repeat: it was answered, and the answer got lost
	}
	if b.Epoch != rep.Epoch || b.Seq != rep.Seq+1 {
		rep.Wanted, rep.Picture = true, 0 // one that is under way may have a hole now
	}
	rep.Epoch, rep.Seq = b.Epoch, b.Seq
	for rest := b.Events; len(rest) > 0; {
		var part []session.Event
		var mark *session.Event
		part, mark, rest = upToMark(rest)
		if err := g.apply(ctx, session.Mark{Node: b.Node, Epoch: b.Epoch, Seq: b.Seq}, part); err != nil {
			return err
		}
		if mark != nil {
			if rep, err = g.mark(ctx, b, rep, *mark); err != nil {
				return err
			}
		}
	}
	if err := g.cfg.Store.SetReporter(ctx, before, rep); err != nil {
		return err // another process took a batch of this module meanwhile, or the store failed: it is repeated
	}
	if rep.Wanted && rep.Picture == 0 {
		g.want(wish{b.Host, b.Node, rep.Epoch})
	}
	return nil
}

// upToMark cuts a batch at what is of no account: the beginning or end of a
// picture, the loss of a node.
func upToMark(list []session.Event) (part []session.Event, mark *session.Event, rest []session.Event) {
	for i, e := range list {
		if e.Kind == session.PictureOn || e.Kind == session.PictureOff || e.Kind == session.Left {
			return list[:i], &list[i], list[i+1:]
		}
	}
	return list, nil, nil
}

// apply has each account decide its events in their order, accounts side by side.
func (g *Gateway) apply(ctx context.Context, told session.Mark, events []session.Event) error {
	var order []string
	byAccount := make(map[string][]session.Event)
	for _, e := range events {
		if g.cfg.Observer != nil {
			g.cfg.Observer.Event(e.Kind)
		}
		if e.Kind == session.Answered {
			if g.cfg.Answered != nil {
				g.cfg.Answered(e.Wake, e.Error, e.ErrorType)
			}
			continue
		}
		if byAccount[e.Account] == nil {
			order = append(order, e.Account)
		}
		e.Told = told
		judged, err := g.judge(ctx, e)
		if err != nil {
			return err
		}
		byAccount[e.Account] = append(byAccount[e.Account], judged)
	}
	errs := make([]error, len(order))
	var wg sync.WaitGroup
	for i, account := range order {
		wg.Go(func() { errs[i] = g.applyTo(ctx, account, byAccount[account]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (g *Gateway) applyTo(ctx context.Context, account string, events []session.Event) error {
	for len(events) > 0 {
		n := len(events)
		for i, e := range events {
			if e.Kind == session.Delete {
				n = i
				break
			}
		}
		if n == 0 {
			if err := g.forget(ctx, account); err != nil {
				return err
			}
			events = events[1:]
			continue
		}
		some := events[:n]
		err := g.do(ctx, account, func(a session.Account) (session.Account, []session.Reason) {
			var all []session.Reason
			for _, e := range some {
				var reasons []session.Reason
				a, reasons = business.Decide(a, e, g.cfg.Policy(), g.cfg.Now())
				g.seal(e, reasons)
				all = append(all, reasons...)
			}
			return a, all
		})
		if err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// forget takes out everything of an account, its registrations first: if that is
// interrupted, the event comes again and finds the rest.
func (g *Gateway) forget(ctx context.Context, account string) error {
	o, err := g.load(ctx, account)
	if err != nil {
		return err
	}
	gone := func(node string) error {
		if err := g.cfg.Store.Unregister(ctx, node, "account deleted", g.cfg.Now()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		g.regs.drop(node)
		return nil
	}
	for _, d := range o.Account.Devices { // some of them were perhaps never enabled
		if err := gone(d.Node); err != nil {
			return err
		}
	}
	for addr, ep := range o.Account.Endpoints {
		if addr.Service != g.cfg.Service {
			continue
		}
		switch mine, err := g.owns(ctx, account, addr, ep); {
		case err != nil:
			return err
		case !mine:
			continue // somebody else's node that the account enabled
		}
		if err := gone(addr.Node); err != nil {
			return err
		}
	}
	return g.post(ctx, account, operation{ctx: ctx, forget: true, done: make(chan error, 1)})
}
