package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Take applies a batch of a server module and returns when it is durable. A nil
// error means: never send it again.
func (g *Gateway) Take(ctx context.Context, b session.Batch) error {
	turn := g.hosts[b.Host]
	if turn == nil {
		return fmt.Errorf("gateway: %s is not a configured host", b.Host)
	}
	turn.Lock()
	defer turn.Unlock()
	rep, err := g.cfg.Store.Reporter(ctx, b.Host)
	if err != nil {
		return err
	}
	before := rep
	if b.Epoch < rep.Epoch || b.Epoch == rep.Epoch && b.Seq <= rep.Seq {
		return nil // a repeat: it was answered, and the answer got lost
	}
	if b.Epoch != rep.Epoch || b.Seq != rep.Seq+1 {
		rep.Wanted, rep.Picture = true, time.Time{} // one that is under way may have a hole now
	}
	rep.Epoch, rep.Seq = b.Epoch, b.Seq
	for rest := b.Events; len(rest) > 0; {
		var part []session.Event
		var mark *session.Event
		part, mark, rest = upToMark(rest)
		if err := g.apply(ctx, part); err != nil {
			return err
		}
		if mark != nil {
			if rep, err = g.mark(ctx, rep, mark.Kind); err != nil {
				return err
			}
		}
	}
	if err := g.cfg.Store.SetReporter(ctx, before, rep); err != nil {
		return err // another process took a batch of this host meanwhile, or the store failed: it is repeated
	}
	if rep.Wanted && rep.Picture.IsZero() {
		g.want(wish{b.Host, rep.Epoch})
	}
	return nil
}

// upToMark cuts a batch at the beginning or end of a picture.
func upToMark(list []session.Event) (part []session.Event, mark *session.Event, rest []session.Event) {
	for i, e := range list {
		if e.Kind == session.PictureOn || e.Kind == session.PictureOff {
			return list[:i], &list[i], list[i+1:]
		}
	}
	return list, nil, nil
}

// apply has each account decide its events in their order, accounts side by side.
func (g *Gateway) apply(ctx context.Context, events []session.Event) error {
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
		byAccount[e.Account] = append(byAccount[e.Account], g.judge(e))
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

// judge says of an endpoint of ours whether it can be used at all: the node must
// be one that we issued, and the secret the one that belongs to it.
func (g *Gateway) judge(e session.Event) session.Event {
	if e.Kind != session.Enable && e.Kind != session.StoredRow || e.Address.Service != g.cfg.Service {
		return e
	}
	switch {
	case !g.cfg.Nodes.Ours(e.Address.Node):
		e.Reason = "the node was not issued here"
	case e.Secret != session.Fingerprint(g.cfg.Nodes.Secret(e.Address.Node)):
		e.Reason = "the secret does not belong to the node"
	}
	return e
}

// forget takes out everything of an account, its registrations first: if that is
// interrupted, the event comes again and finds the rest.
func (g *Gateway) forget(ctx context.Context, account string) error {
	o, err := g.load(ctx, account)
	if err != nil {
		return err
	}
	for addr, ep := range o.Account.Endpoints {
		if addr.Service != g.cfg.Service || ep.Secret != session.Fingerprint(g.cfg.Nodes.Secret(addr.Node)) {
			continue // not ours, or somebody else's node that the account enabled without its secret
		}
		if err := g.cfg.Store.Unregister(ctx, addr.Node, "account deleted", g.cfg.Now()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		g.regs.drop(addr.Node)
	}
	return g.post(ctx, account, operation{ctx: ctx, forget: true, done: make(chan error, 1)})
}

// mark notes where a picture begins, and sweeps at its end.
func (g *Gateway) mark(ctx context.Context, rep store.Reporter, kind session.Kind) (store.Reporter, error) {
	if kind == session.PictureOn {
		rep.Picture, rep.Wanted = g.cfg.Now(), true
		return rep, nil
	}
	if rep.Picture.IsZero() {
		return rep, nil // an end without a beginning proves nothing
	}
	n, err := g.sweep(ctx, rep.Host, rep.Picture)
	if err != nil {
		return rep, err
	}
	rep.Picture, rep.Wanted = time.Time{}, false
	g.log.Info("the picture is complete", "host", rep.Host, "accounts", n)
	return rep, nil
}

// sweep ends what a picture did not show, many accounts side by side.
func (g *Gateway) sweep(ctx context.Context, host string, began time.Time) (accounts int, err error) {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, sweepers)
		mu    sync.Mutex
		errs  []error
	)
	for account, err := range g.cfg.Store.Owners(ctx, host) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		accounts++
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := g.sweepOne(ctx, account, began); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return accounts, errors.Join(errs...)
}

func (g *Gateway) sweepOne(ctx context.Context, account string, began time.Time) error {
	o, err := g.load(ctx, account)
	if err != nil {
		return err
	}
	if _, reasons := business.Sweep(o.Account, began, g.cfg.Now()); len(reasons) == 0 {
		return nil // nearly all of them
	}
	return g.do(ctx, account, func(a session.Account) (session.Account, []session.Reason) {
		return business.Sweep(a, began, g.cfg.Now())
	})
}

// wish is a picture that is wanted of a module that started at epoch; 0: of
// whichever is there.
type wish struct {
	host  string
	epoch uint64
}

// want has Run ask a host for its picture.
func (g *Gateway) want(w wish) {
	select {
	case g.ask <- w:
	default: // Run looks again
	}
}

// LinkUp is called when the component link comes up: pictures that are still
// wanted are asked for, and those of hosts that were never seen.
func (g *Gateway) LinkUp(ctx context.Context) {
	for host := range g.hosts {
		if rep := g.reporter(ctx, host); rep.Wanted || rep.Epoch == 0 {
			g.want(wish{host: host})
		}
	}
}

// lookAgain asks once more for pictures that are wanted and did not begin, or
// began so long ago that they will not end.
func (g *Gateway) lookAgain(ctx context.Context) {
	for host := range g.hosts {
		rep := g.reporter(ctx, host)
		if stuck := g.cfg.Now().Sub(rep.Picture) > pictureTime; rep.Wanted && stuck { // a zero time is long ago as well
			g.want(wish{host, rep.Epoch})
		}
	}
}

func (g *Gateway) reporter(ctx context.Context, host string) store.Reporter {
	rep, err := g.cfg.Store.Reporter(ctx, host)
	if err != nil {
		g.log.Warn("cannot read how far a host has come", "host", host, "err", err)
		return store.Reporter{Epoch: 1} // wants nothing
	}
	return rep
}

// Run asks servers for their picture until ctx ends: at once when the link or
// the module is new, else each at most every 30 s.
func (g *Gateway) Run(ctx context.Context) error {
	type asked struct {
		epoch uint64
		at    time.Time
	}
	last := make(map[string]asked)
	again := time.NewTicker(askFor / 3)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			g.lookAgain(ctx)
		case w := <-g.ask:
			now := g.cfg.Now()
			l, ok := last[w.host]
			if ok && w.epoch != 0 && (l.epoch == w.epoch || l.epoch == 0) && now.Sub(l.at) < askFor {
				last[w.host] = asked{w.epoch, l.at}
				continue // lookAgain finds it, if it is still wanted then
			}
			last[w.host] = asked{w.epoch, now}
			if err := g.cfg.Server.Picture(ctx, w.host); err != nil {
				if w.epoch == 0 {
					delete(last, w.host)
				}
				g.log.Warn("the server module did not take our request for the picture", "host", w.host, "err", err,
					"hint", "is mod_rouse loaded on this host, and does rouse_component name this component?")
			}
		}
	}
}
