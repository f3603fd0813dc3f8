package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"rouse/component/unifiedpush"
	"rouse/config"
	"rouse/gateway"
	"rouse/push"
	"rouse/store"
	"rouse/store/fleet"
	"rouse/web"
)

// app is everything that serve runs, wired by build.
type app struct {
	log     *slog.Logger
	level   *slog.LevelVar
	started time.Time
	id      string // of this process, new at each start
	machine string
	pid     int

	store    store.Store
	member   *fleet.Member // this process among those that share the store
	gateway  *gateway.Gateway
	workers  *push.Workers
	apps     map[string]push.App // by name, and what is for third-party services under ""
	link     currentLink
	unified  *unifiedpush.Transport // nil: not offered
	web      *web.Server            // nil: no listener
	listener net.Listener
	controls net.Listener // for commands on this machine; nil: they ask the store
	metrics  *web.Metrics
	herald   *herald // nil: nobody is told of anything

	cfg      atomic.Pointer[config.Config]
	draining atomic.Bool
}

// run serves until ctx ends, then drains: the link first, so that nothing new
// comes in and another process can have it, then the workers, then the owners,
// the connections to providers, the store. ready is called once the store and the listeners are up and the
// link is being made.
func (a *app) run(ctx context.Context, ready func()) error {
	var link, work, life, rest group
	for _, g := range []*group{&link, &work, &life, &rest} {
		g.start(ctx)
	}

	if a.web != nil {
		rest.add(func(ctx context.Context) error { return a.web.Run(ctx, a.listener) })
	}
	if a.controls != nil {
		rest.add(a.control)
	}
	work.add(a.gateway.Run)
	work.add(a.workers.Run)
	work.add(func(ctx context.Context) error { return remindDaily(ctx, a.log, ends(a.apps)) })
	life.add(a.member.Live)
	if n := a.herald; n != nil {
		work.add(n.dispatch.Run)
		if n.socket != nil {
			work.add(n.takeNotices)
		}
		if n.watch != nil {
			work.add(n.watch.follower.Run)
		}
	}
	if a.cfg.Load().Component != nil {
		link.add(a.member.Stand)
	}
	ready()

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-link.failed:
	case failed = <-work.failed:
	case failed = <-rest.failed:
	}
	a.draining.Store(true)
	a.log.Info("stopping: what was taken is finished first")
	err := errors.Join(failed, link.stop(), work.stop())
	a.gateway.Close()
	return errors.Join(err, closeProviders(a.apps), life.stop(), a.herald.close(), a.store.Close(), rest.stop())
}

// close gives back what build took, when run was never called.
func (a *app) close() {
	for _, l := range []net.Listener{a.listener, a.controls} {
		if l != nil {
			l.Close()
		}
	}
	if a.gateway != nil {
		a.gateway.Close()
	}
	closeProviders(a.apps)
	a.herald.close()
	if a.store != nil {
		a.store.Close()
	}
}

// group is goroutines that are started and stopped together.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	failed chan error // the first failure

	mu  sync.Mutex
	err error
}

// start makes the group ready. Its context does not end with the parent's: it is
// stopped in its turn.
func (g *group) start(parent context.Context) {
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(parent))
	g.failed = make(chan error, 1)
}

func (g *group) add(f func(context.Context) error) {
	g.wg.Go(func() {
		err := f(g.ctx)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		g.mu.Lock()
		g.err = errors.Join(g.err, err)
		g.mu.Unlock()
		select {
		case g.failed <- err:
		default:
		}
	})
}

func (g *group) stop() error {
	g.cancel()
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.failed: // it is in err as well
	default:
	}
	return g.err
}
