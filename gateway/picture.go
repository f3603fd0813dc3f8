package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// mark notes where a picture begins, and sweeps at its end. Where a node of the
// cluster is gone it sweeps too.
func (g *Gateway) mark(ctx context.Context, b session.Batch, rep store.Reporter, e session.Event) (store.Reporter, error) {
	switch e.Kind {
	case session.PictureOn:
		rep.Picture, rep.Wanted = rep.Seq, true
		return rep, nil
	case session.Left:
		return rep, g.left(ctx, b, e.Node)
	}
	if rep.Picture == 0 || rep.Picture > rep.Seq {
		return rep, nil // an end without a beginning proves nothing
	}
	began := session.Mark{Node: b.Node, Epoch: rep.Epoch, Seq: rep.Picture}
	n, err := g.sweep(ctx, b.Host, func(a session.Account) (session.Account, []session.Reason) {
		return business.Sweep(a, began, g.cfg.Policy(), g.cfg.Now())
	})
	if err != nil {
		return rep, err
	}
	if b.Node != "" {
		if err := g.answered(ctx, b.Host); err != nil {
			return rep, err
		}
	}
	rep.Picture, rep.Wanted = 0, false
	g.log.Info("the picture is complete", "host", rep.Host, "accounts", n)
	return rep, nil
}

// sweep ends in all accounts of a host what is not there, many side by side.
func (g *Gateway) sweep(ctx context.Context, host string, end func(session.Account) (session.Account, []session.Reason)) (accounts int, err error) {
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
			if err := g.sweepOne(ctx, account, end); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return accounts, errors.Join(errs...)
}

func (g *Gateway) sweepOne(ctx context.Context, account string, end func(session.Account) (session.Account, []session.Reason)) error {
	o, err := g.load(ctx, account)
	if err != nil {
		return err
	}
	if _, reasons := end(o.Account); len(reasons) == 0 {
		return nil // nearly all of them
	}
	return g.do(ctx, account, end)
}

// wish is a picture that is wanted of a module that started at epoch; 0: of
// whichever is there. Without a node it is of all that a host has.
type wish struct {
	host, node string
	epoch      uint64
}

// want has Run ask a host for its picture.
func (g *Gateway) want(w wish) {
	select {
	case g.ask <- w:
	default: // Run looks again
	}
}

// LinkUp is called when the component link comes up: pictures that are still
// wanted are asked for, and those of hosts that were never seen. Registrations
// may have changed while another process had the link.
func (g *Gateway) LinkUp(ctx context.Context) {
	if g.cfg.Shared {
		g.regs.clear()
	}
	g.linked.Store(true)
	for host, rs := range g.hosts {
		for node := range rs.known() {
			if rep := g.reporter(ctx, host, node); rep.Wanted || node == "" && rep.Epoch == 0 {
				g.want(wish{host: host, node: node})
			}
		}
	}
}

// LinkDown is called when the link is lost.
func (g *Gateway) LinkDown() { g.linked.Store(false) }

// Setback is called when the store may have lost what it had answered for, by a
// failover or a restart. What is in memory may be ahead of it now, and what
// servers were told is taken may be gone: their pictures tell again.
func (g *Gateway) Setback(cause string) {
	g.log.Warn("the store may have lost its last moments; the servers are asked for the picture", "cause", cause)
	g.owners.clear()
	g.regs.clear()
	select {
	case g.back <- struct{}{}:
	default:
	}
}

// askAll has every host tell how it stands, and reports whether that is noted in
// the store: whoever gets the link next asks too.
func (g *Gateway) askAll(ctx context.Context) bool {
	noted := true
	for host, rs := range g.hosts {
		for node, turn := range rs.known() {
			turn.Lock()
			err := g.wanted(ctx, session.Reporter(host, node))
			turn.Unlock()
			if err != nil {
				g.log.Warn("cannot note that a picture is wanted, trying again", "host", host, "node", node, "err", err)
				noted = false
			}
		}
		if !g.cfg.Shared || g.linked.Load() {
			g.want(wish{host: host})
		}
	}
	return noted
}

// wanted notes that a picture is wanted. One that is under way may be lost in part.
func (g *Gateway) wanted(ctx context.Context, name string) error {
	before, err := g.cfg.Store.Reporter(ctx, name)
	if err != nil {
		return err
	}
	after := before
	after.Wanted, after.Picture = true, 0
	if after == before {
		return nil
	}
	return g.cfg.Store.SetReporter(ctx, before, after)
}

// look is a picture that is under way, and how often it was seen so. Clocks may be
// set meanwhile, and another process may have seen its beginning.
type look struct {
	picture session.Mark
	times   int
}

// looks is how often a picture may be seen under way before it is taken to be stuck.
const looks = int(pictureTime / (askFor / 3))

// lookAgain asks once more for pictures that are wanted and did not begin, or
// began so long ago that they will not end.
func (g *Gateway) lookAgain(ctx context.Context, seen map[string]look) {
	if g.cfg.Shared && !g.linked.Load() {
		return // whoever has the link does
	}
	for host, rs := range g.hosts {
		for node := range rs.known() {
			rep, name := g.reporter(ctx, host, node), session.Reporter(host, node)
			l := look{picture: session.Mark{Node: node, Epoch: rep.Epoch, Seq: rep.Picture}, times: 1}
			if before := seen[name]; before.picture == l.picture {
				l.times += before.times
			}
			seen[name] = l
			if rep.Wanted && (rep.Picture == 0 || l.times > looks) {
				g.want(wish{host, node, rep.Epoch})
			}
		}
	}
}

func (g *Gateway) reporter(ctx context.Context, host, node string) store.Reporter {
	rep, err := g.cfg.Store.Reporter(ctx, session.Reporter(host, node))
	if err != nil {
		g.log.Warn("cannot read how far a host has come", "host", host, "node", node, "err", err)
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
	seen := make(map[string]look)
	back := false // the store went back, and that is not noted yet
	again := time.NewTicker(askFor / 3)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			if back {
				back = !g.askAll(ctx)
			}
			g.lookAgain(ctx, seen)
		case <-g.back:
			back = !g.askAll(ctx)
		case w := <-g.ask:
			now := g.cfg.Now()
			name := session.Reporter(w.host, w.node)
			l, ok := last[name]
			if ok && w.epoch != 0 && (l.epoch == w.epoch || l.epoch == 0) && now.Sub(l.at).Abs() < askFor { // a clock that was set back does not keep it waiting
				last[name] = asked{w.epoch, l.at}
				continue // lookAgain finds it, if it is still wanted then
			}
			last[name] = asked{w.epoch, now}
			if err := g.cfg.Server.Picture(ctx, w.host, w.node); err != nil {
				if w.epoch == 0 {
					delete(last, name)
				}
				g.log.Warn("the server module did not take our request for the picture", "host", w.host, "node", w.node, "err", err,
					"hint", "is mod_rouse loaded on this host, and does rouse_component name this component?")
			}
		}
	}
}
