package transfer

import (
	"context"
	"fmt"
	"time"

	"rouse/store"
)

// A process that lives says so every second (package fleet). The list still has
// those that were killed, until somebody misses them.
const (
	beat     = time.Second
	silence  = 5 * time.Second
	patience = silence + 2*beat
)

// shared is what Alone needs of a store.
type shared interface {
	store.Processes
	EndLeases(ctx context.Context, process string) error
}

// Alone waits until no other process works on a store, or finds that one does. The
// context that it gives ends when one comes, or leave is called, which must be.
func Alone(ctx context.Context, s shared, self store.Process) (alone context.Context, leave func(), err error) {
	depart := func() {
		// What is not taken off the list is missed in a few seconds.
		_ = s.Depart(context.WithoutCancel(ctx), self.ID)
	}
	for began := time.Now(); ; {
		other, err := look(ctx, s, self)
		if err != nil {
			depart()
			return nil, nil, err
		}
		if other == nil {
			break
		}
		if time.Since(began) >= patience {
			depart()
			return nil, nil, inUse(*other)
		}
		select {
		case <-ctx.Done():
			depart()
			return nil, nil, ctx.Err()
		case <-time.After(beat):
		}
	}
	alone, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(alone, cancel, s, self)
	}()
	return alone, func() {
		cancel(nil)
		<-done
		depart()
	}, nil
}

func watch(ctx context.Context, cancel context.CancelCauseFunc, s shared, self store.Process) {
	again := time.NewTicker(beat)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			// A store that does not answer is told by what else is asked of it.
			if other, err := look(ctx, s, self); err == nil && other != nil {
				cancel(inUse(*other))
				return
			}
		}
	}
}

// look says that we are here, and gives one of the others, if there are any.
func look(ctx context.Context, s shared, self store.Process) (*store.Process, error) {
	gone, err := s.Announce(ctx, self, silence)
	if err != nil {
		return nil, err
	}
	for _, p := range gone { // we alone were told, for now
		if err := s.EndLeases(ctx, p.ID); err != nil {
			return nil, err
		}
		if err := s.Inherited(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	list, err := s.Processes(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.ID != self.ID {
			return &p, nil
		}
	}
	return nil, nil
}

func inUse(p store.Process) error {
	return &Error{fmt.Sprintf("a rouse works on it (process %d on %s)", p.PID, p.Machine), "stop it first: what it stores meanwhile would be missed"}
}
