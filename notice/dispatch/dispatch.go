package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

// Outbox is what is to be told; package outbox has one.
type Outbox interface {
	Unplanned(ctx context.Context, most int) ([]outbox.Numbered, error)
	Plan(ctx context.Context, n int64, list []notice.Delivery, now time.Time) error
	Due(ctx context.Context, context string, now time.Time, most int) ([]outbox.Delivery, error)
	Next(ctx context.Context, context string) (time.Time, error)
	Settle(ctx context.Context, n int64, s outbox.State, why string, due, now time.Time) error
	Forget(ctx context.Context, before time.Time) error
}

// Sender tells somebody. nil: it is told. An error that wraps notice.ErrUndeliverable
// ends it, others are tried again.
type Sender interface {
	Send(ctx context.Context, d outbox.Delivery) error
}

// Way is how the deliveries of one context are made.
type Way struct {
	Sender Sender
	AtOnce int         // at the same time
	Ready  func() bool // whether anything can be made now; nil: always
}

// Config is what a dispatcher works with.
type Config struct {
	Outbox    Outbox
	Ways      map[string]Way                                      // by context
	Gather    func(ctx context.Context) error                     // brings notices from their sources into the outbox; nil: they come by themselves
	Listeners func(ctx context.Context) (notice.Listeners, error) // who may be told
	Observe   func(context, outcome string)                       // of a try: told, again or failed; may be nil
	Now       func() time.Time
	Logger    *slog.Logger
}

// Dispatcher tells what waits.
type Dispatcher struct {
	cfg   Config
	poked chan struct{}
	lanes map[string]chan struct{} // by context: that there may be something
}

// New makes one.
func New(cfg Config) *Dispatcher {
	d := &Dispatcher{cfg: cfg, poked: make(chan struct{}, 1), lanes: make(map[string]chan struct{})}
	for name := range cfg.Ways {
		d.lanes[name] = make(chan struct{}, 1)
	}
	return d
}

// Poke says that there may be notices, or that somebody can be told who could not.
func (d *Dispatcher) Poke() { poke(d.poked) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

const (
	look    = 10 * time.Second    // when nothing says that there is something
	atOnce  = 100                 // notices that are planned in one go
	keepFor = 30 * 24 * time.Hour // what was told
	giveUp  = 7 * 24 * time.Hour  // after a notice came about
	longest = 15 * time.Minute    // between two tries
	first   = 5 * time.Second     // between the first two, then twice as long each time
)

// Run tells until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for name, way := range d.cfg.Ways {
		all.Go(func() { d.run(ctx, name, way) })
	}
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	for ctx.Err() == nil {
		full, err := d.plan(ctx)
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error("what is to be told cannot be looked at, trying again", "in", look, "err", err)
		}
		for _, c := range d.lanes {
			poke(c)
		}
		if full {
			continue
		}
		timer := time.NewTimer(look)
		select {
		case <-ctx.Done():
		case <-d.poked:
		case <-timer.C:
		case <-forget.C:
			if err := d.cfg.Outbox.Forget(ctx, d.cfg.Now().Add(-keepFor)); err != nil && ctx.Err() == nil {
				d.cfg.Logger.Error("old notices cannot be taken out", "err", err)
			}
		}
		timer.Stop()
	}
	return nil
}

// plan finds who is to be told of what is new. It reports whether there may be more.
func (d *Dispatcher) plan(ctx context.Context) (more bool, err error) {
	if d.cfg.Gather != nil {
		if err := d.cfg.Gather(ctx); err != nil {
			return false, err
		}
	}
	list, err := d.cfg.Outbox.Unplanned(ctx, atOnce)
	if err != nil || len(list) == 0 {
		return false, err
	}
	who, err := d.cfg.Listeners(ctx)
	if err != nil {
		return false, err
	}
	for _, n := range list {
		plan := notice.Plan(&n.Notice, who, d.cfg.Now())
		for _, e := range plan {
			if e.Fate != "" {
				d.cfg.Logger.Warn("somebody cannot be told", "person", e.Address, "kind", n.Kind, "why", e.Fate)
			}
		}
		if err := d.cfg.Outbox.Plan(ctx, n.N, plan, d.cfg.Now()); err != nil {
			return false, err
		}
	}
	return len(list) == atOnce, nil
}

// run makes the deliveries of one context.
func (d *Dispatcher) run(ctx context.Context, name string, way Way) {
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		busy = make(map[string]bool) // lanes
	)
	defer work.Wait()
	free := make(chan struct{}, way.AtOnce)
	for ctx.Err() == nil {
		var list []outbox.Delivery
		var err error
		mu.Lock()
		before := maps.Clone(busy) // what ends while we look is still in the list
		mu.Unlock()
		if way.Ready == nil || way.Ready() {
			if list, err = d.cfg.Outbox.Due(ctx, name, d.cfg.Now(), 2*way.AtOnce); err != nil && ctx.Err() == nil {
				d.cfg.Logger.Error("what is to be told cannot be looked at, trying again", "context", name, "in", look, "err", err)
			}
		}
		begun := 0
		for _, e := range list {
			if before[e.Lane] {
				continue
			}
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			begun++
			mu.Lock()
			busy[e.Lane] = true
			mu.Unlock()
			work.Go(func() {
				d.one(ctx, name, way, e)
				mu.Lock()
				delete(busy, e.Lane)
				mu.Unlock()
				<-free
				poke(d.lanes[name])
			})
		}
		if begun > 0 {
			continue
		}
		timer := time.NewTimer(d.pause(ctx, name))
		select {
		case <-ctx.Done():
		case <-d.lanes[name]:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pause is until something is due.
func (d *Dispatcher) pause(ctx context.Context, name string) time.Duration {
	next, err := d.cfg.Outbox.Next(ctx, name)
	if err != nil || next.IsZero() {
		return look
	}
	return min(max(next.Sub(d.cfg.Now()), time.Second), look)
}

// one makes one delivery, and writes down what became of it.
func (d *Dispatcher) one(ctx context.Context, name string, way Way, e outbox.Delivery) {
	err := way.Sender.Send(ctx, e)
	if err != nil && ctx.Err() != nil && !errors.Is(err, notice.ErrUndeliverable) {
		return // it is as if it had not been tried
	}
	now := d.cfg.Now()
	state, why, due := outbox.Told, "", now
	log := d.cfg.Logger.With("context", name, "kind", e.Notice.Kind, "id", e.Notice.ID)
	switch wait := backoff(e.Tries); {
	case err == nil:
	case errors.Is(err, notice.ErrUndeliverable):
		state, why = outbox.Failed, err.Error()
		log.Error("somebody cannot be told", "err", err)
	case now.Add(wait).Sub(e.Notice.At) > giveUp && e.Tries > 0:
		state, why = outbox.Failed, "given up: "+err.Error()
		log.Error("somebody could not be told for a week, given up", "err", err)
	default:
		state, why, due = outbox.Waiting, err.Error(), now.Add(wait)
		log.Warn("somebody could not be told, trying again", "in", wait, "err", err)
	}
	if d.cfg.Observe != nil {
		d.cfg.Observe(name, map[outbox.State]string{outbox.Told: "told", outbox.Waiting: "again", outbox.Failed: "failed"}[state])
	}
	if err := d.cfg.Outbox.Settle(context.WithoutCancel(ctx), e.N, state, why, due, now); err != nil {
		log.Error("that somebody was told cannot be written down: it will be told again", "err", err)
	}
}

func backoff(tries int) time.Duration { return min(first<<min(tries, 20), longest) }
