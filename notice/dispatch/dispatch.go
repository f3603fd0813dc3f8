// Package dispatch has people told of events, each once: it takes events out of an
// outbox, finds who is to be told, and lets go of an event when all were. What was
// told is on record before it is let go, so whoever dies meanwhile tells nobody twice
// of what it knows to be told.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"rouse/notice"
)

// Event is one that waits, with the people whom it concerns.
type Event struct {
	N      int64
	Notice notice.Notice // Text as it is told to administrators
	You    string        // and to the people; empty: as to administrators
	People []Person
}

// Person is one whom an event concerns. Address is empty where there is none, and Why
// says why.
type Person struct{ Name, Address, Why string }

// Outbox has events.
type Outbox interface {
	Waiting(ctx context.Context, most int) ([]Event, error)
	Done(ctx context.Context, n int64) error

	// Delivered gives who was told of an event, and Deliver puts one more on record.
	Delivered(ctx context.Context, id string) ([]string, error)
	Deliver(ctx context.Context, id, address string, at time.Time) error
}

// Config is what a dispatcher works with.
type Config struct {
	Outbox Outbox
	Send   func(ctx context.Context, n notice.Notice, to string) error // nil: it was told
	Ready  func() bool                                                 // whether anybody can be told now
	Admins func() []string                                             // addresses
	Except []string                                                    // kinds of which nobody is told, as patterns
	Now    func() time.Time
	Logger *slog.Logger
}

// Dispatcher tells what waits.
type Dispatcher struct {
	cfg  Config
	poke chan struct{}
}

// New makes one.
func New(cfg Config) *Dispatcher { return &Dispatcher{cfg: cfg, poke: make(chan struct{}, 1)} }

// Poke says that there may be events.
func (d *Dispatcher) Poke() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

const (
	atOnce = 100              // events in one look
	retry  = 10 * time.Second // when somebody could not be told
)

// Run tells until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := retry
		if d.cfg.Ready() {
			n, err := d.round(ctx)
			switch {
			case err != nil && ctx.Err() == nil:
				d.cfg.Logger.Error("somebody could not be told, trying again", "in", retry, "err", err)
			case n == atOnce:
				continue
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-d.poke:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// round tells what waits, in order; it ends with who could not be told.
func (d *Dispatcher) round(ctx context.Context) (int, error) {
	list, err := d.cfg.Outbox.Waiting(ctx, atOnce)
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		if err := d.tell(ctx, e); err != nil {
			return 0, err
		}
		if err := d.cfg.Outbox.Done(ctx, e.N); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func (d *Dispatcher) tell(ctx context.Context, e Event) error {
	audience := notice.AudienceOf(e.Notice.Kind, d.cfg.Except)
	told, err := d.cfg.Outbox.Delivered(ctx, e.Notice.ID)
	if err != nil {
		return err
	}
	send := func(to, text string) error {
		if slices.Contains(told, to) {
			return nil
		}
		n := e.Notice
		n.Text = text
		switch err := d.cfg.Send(ctx, n, to); {
		case errors.Is(err, notice.ErrUndeliverable):
			d.cfg.Logger.Error("somebody cannot be told", "kind", n.Kind, "err", err)
		case err != nil:
			return err
		}
		told = append(told, to)
		return d.cfg.Outbox.Deliver(ctx, n.ID, to, d.cfg.Now())
	}
	if audience.Person && e.You != "" {
		for _, p := range e.People {
			if p.Address == "" {
				d.cfg.Logger.Warn("somebody cannot be told: there is no address in chat", "person", p.Name, "kind", e.Notice.Kind, "why", p.Why)
				continue
			}
			if err := send(p.Address, e.You); err != nil {
				return err
			}
		}
	}
	if audience.Admins {
		for _, to := range d.cfg.Admins() {
			if err := send(to, e.Notice.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
