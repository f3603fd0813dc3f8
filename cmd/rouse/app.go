package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"rouse/component"
	"rouse/config"
	"rouse/gateway"
	"rouse/push"
	"rouse/store"
	"rouse/web"
)

// app is everything that serve runs, wired by build.
type app struct {
	log     *slog.Logger
	level   *slog.LevelVar
	started time.Time

	store    store.Store
	gateway  *gateway.Gateway
	workers  *push.Workers
	link     *component.Component // nil: no [component]
	web      *web.Server          // nil: no listener
	listener net.Listener
	metrics  *web.Metrics

	cfg       atomic.Pointer[config.Config]
	linkState atomic.Pointer[component.State]
	draining  atomic.Bool
}

// run serves until ctx ends, then drains: the link first, so that nothing new
// comes in, then the workers, then the owners, then the store. ready is called
// once the store and the listeners are up and the link is being made.
func (a *app) run(ctx context.Context, ready func()) error {
	var link, work, rest group
	link.start(ctx)
	work.start(ctx)
	rest.start(ctx)

	if a.web != nil {
		rest.add(func(ctx context.Context) error { return a.web.Run(ctx, a.listener) })
	}
	work.add(a.gateway.Run)
	work.add(a.workers.Run)
	if a.link != nil {
		link.add(a.link.Run)
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
	err = errors.Join(err, a.store.Close(), rest.stop())
	return err
}

// close gives back what build took, when run was never called.
func (a *app) close() {
	if a.listener != nil {
		a.listener.Close()
	}
	if a.gateway != nil {
		a.gateway.Close()
	}
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

// status is what /readyz and STATUS= tell.
func (a *app) status() web.Status {
	cfg := a.cfg.Load()
	s := web.Status{
		Draining: a.draining.Load(),
		Store:    web.Part{Name: "store", State: web.Up, Since: a.started},
		Link:     web.Part{Name: "link", State: web.Unused},
	}
	if a.listener != nil {
		s.Listeners = []web.Part{{Name: "web " + a.listener.Addr().String(), State: web.Up, Since: a.started}}
	}
	if a.link != nil {
		s.Link.State = web.Retrying
		if st := a.linkState.Load(); st != nil {
			switch {
			case st.Kind == component.Up:
				s.Link.State = web.Up
			case st.Cause != nil:
				s.Link.Cause = st.Cause.Error()
			}
		}
	}
	stopped := a.workers.Stopped()
	for _, app := range cfg.Apps {
		p := web.Part{Name: "app " + app.Name, State: web.Up}
		if why, is := stopped[app.Name]; is {
			p.State, p.Cause = web.Down, why
		}
		s.Apps = append(s.Apps, p)
	}
	return s
}

// onLink notes how the link is, and tells the gateway when it is up. The
// component itself logs it.
func (a *app) onLink(s component.State) {
	a.linkState.Store(&s)
	a.metrics.ComponentUp(s.Kind == component.Up)
	if s.Kind == component.Up {
		a.gateway.LinkUp(context.Background())
	}
}
