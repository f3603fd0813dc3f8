package push

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"rouse/session"
)

// outbox is a queue in memory with leases, as a store would keep it.
type outbox struct {
	mu       sync.Mutex
	rows     map[string]*row
	changed  chan struct{}
	claims   int
	settled  map[string][]session.Settlement
	failures int // settlements that fail from now on
	lease    time.Duration
}

type row struct {
	job     session.Job
	due     time.Time
	holders int // claims that are not settled
}

func newOutbox() *outbox {
	return &outbox{rows: make(map[string]*row), changed: make(chan struct{}), settled: make(map[string][]session.Settlement), lease: 5 * time.Minute}
}

func (o *outbox) add(id, app string, c session.Class) { o.addFor("push.example.org", id, app, c) }

func (o *outbox) addFor(service, id, app string, c session.Class) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	key := session.WakeKey{Address: session.Address{Service: service, Node: "nodeABCDEF-" + id}, Class: c}
	o.rows[id] = &row{due: now, job: session.Job{Owner: "juliet@example.org", Key: key, ID: id,
		Wake:   session.Wake{Count: 1, Since: now, Due: now},
		Target: session.Registration{App: app, Token: "secret-token-" + id, Device: "d-" + id}}}
	o.stir()
}

func (o *outbox) stir() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outbox) Claim(_ context.Context, max int) ([]session.Job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claims++
	now := time.Now()
	var due []*row
	for _, r := range o.rows {
		if !r.due.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *row) int {
		if a.job.Key.Class != b.job.Key.Class {
			return int(b.job.Key.Class) - int(a.job.Key.Class)
		}
		return a.due.Compare(b.due)
	})
	var jobs []session.Job
	for _, r := range due[:min(max, len(due))] {
		r.due = now.Add(o.lease)
		r.holders++
		jobs = append(jobs, r.job)
	}
	return jobs, nil
}

func (o *outbox) Wait(ctx context.Context) error {
	for {
		o.mu.Lock()
		changed := o.changed
		next := time.Hour
		for _, r := range o.rows {
			next = min(next, time.Until(r.due))
		}
		o.mu.Unlock()
		if next <= 0 {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

func (o *outbox) Settle(_ context.Context, j session.Job, s session.Settlement) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failures > 0 {
		o.failures--
		return errors.New("the store is away")
	}
	o.settled[j.ID] = append(o.settled[j.ID], s)
	r := o.rows[j.ID]
	if r == nil {
		return nil
	}
	r.holders--
	if s.Verdict == session.Again {
		r.due = s.Due
		if !s.Free {
			r.job.Wake.Attempt++
		}
	} else {
		delete(o.rows, j.ID)
	}
	o.stir()
	return nil
}

func (o *outbox) of(id string) []session.Settlement {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.settled[id])
}

func (o *outbox) last(t *testing.T, id string) session.Settlement {
	t.Helper()
	all := o.of(id)
	if len(all) == 0 {
		t.Fatalf("%s has no settlement", id)
	}
	return all[len(all)-1]
}

func (o *outbox) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

// provider answers by a function.
type provider func(ctx context.Context, n Notification) Result

func (p provider) Send(ctx context.Context, n Notification) Result { return p(ctx, n) }
func (p provider) Check(context.Context) error                     { return nil }

// slow takes that long, or says that it was cut off.
func slow(d time.Duration, r Result) provider {
	return func(ctx context.Context, _ Notification) Result {
		if !pause(ctx, d) {
			return Result{Outcome: Unavailable, Reason: "no answer in time", Err: ctx.Err()}
		}
		return r
	}
}

// run starts workers in a bubble and gives the function that stops them.
func run(t *testing.T, o *outbox, apps map[string]App, more ...func(*WorkersConfig)) (*Workers, func() error) {
	cfg := WorkersConfig{Outbox: o, Apps: apps, Rand: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range more {
		f(&cfg)
	}
	w := NewWorkers(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	var err error
	stop := func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { stop() })
	return w, stop
}
