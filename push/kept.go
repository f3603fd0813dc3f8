package push

import (
	"context"
	"sync"
	"time"

	"rouse/session"
)

// fate is what became of a wake.
type fate struct {
	job session.Job
	s   session.Settlement
}

// How settlements are insisted on.
const (
	settleTries = 3
	chaseEvery  = 2 * time.Second
	chaseMany   = 64     // at once
	mostKept    = 10_000 // more are left to their leases
)

// settle stores a settlement, and insists: a wake without one is sent a second
// time, or waits for its lease. While the store fails it is kept, so that neither
// the app nor the loop waits.
func (w *Workers) settle(ctx context.Context, j session.Job, s session.Settlement) {
	var err error
	for try := range settleTries {
		if err = w.cfg.Outbox.Settle(ctx, j, s); err == nil {
			return
		}
		if try == settleTries-1 || !pause(ctx, 100*time.Millisecond<<(2*try)) {
			break
		}
	}
	if w.keep(fate{j, s}) {
		w.cfg.Logger.Warn("cannot store what became of a wake yet, trying on",
			"app", j.Target.App, "node", short(j.Key.Node), "verdict", string(s.Verdict), "err", err)
	} else {
		w.abandon(j, s, err)
	}
}

// abandon leaves a wake to its lease.
func (w *Workers) abandon(j session.Job, s session.Settlement, err error) {
	w.lose()
	w.cfg.Logger.Error("cannot store what became of a wake; it is sent again when its lease ends",
		"app", j.Target.App, "node", short(j.Key.Node), "verdict", string(s.Verdict), "err", err)
}

func (w *Workers) keep(f fate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept) >= mostKept {
		return false
	}
	w.kept = append(w.kept, f)
	return true
}

// chase stores what was kept as soon as that can be done, until ctx ends.
func (w *Workers) chase(ctx context.Context) {
	for pause(ctx, chaseEvery) {
		w.storeKept(ctx)
	}
}

// storeKept tries once to store what was kept. What fails is kept on, until the
// lease of its wake has ended: then the wake is somebody else's.
func (w *Workers) storeKept(ctx context.Context) {
	w.mu.Lock()
	all := w.kept
	w.kept = nil
	w.mu.Unlock()
	places := make(chan struct{}, chaseMany)
	var tries sync.WaitGroup
	for _, f := range all {
		places <- struct{}{}
		tries.Go(func() {
			defer func() { <-places }()
			err := w.cfg.Outbox.Settle(ctx, f.job, f.s)
			lease := f.job.Wake.Lease
			if err != nil && (!lease.IsZero() && !w.cfg.Now().Before(lease) || !w.keep(f)) {
				w.abandon(f.job, f.s, err)
			}
		})
	}
	tries.Wait()
}
