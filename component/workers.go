package component

import (
	"context"
	"sync"
	"time"
)

// bounds say how much may be taken and not finished.
type bounds struct{ tasks, perOwner, bytes int }

// workers run tasks: those of one owner in order, one at a time, those of
// different owners side by side, in turn. A goroutine lives as long as there
// is something to do.
//
// A task counts against the bounds until finish, which may be long after it
// has run.
type workers struct {
	max    int
	bounds bounds

	mu      sync.Mutex
	owners  map[string]*owner
	ready   []*owner // have tasks, and none running
	running int
	tasks   int // taken and not finished
	bytes   int
	refuse  bool
	idle    chan struct{} // closed when refuse is set and tasks is 0
	wg      sync.WaitGroup
}

type owner struct {
	queue []func()
	busy  bool // in ready, or running a task
	tasks int  // taken and not finished
}

func newWorkers(n int, b bounds) *workers {
	return &workers{max: n, bounds: b, owners: make(map[string]*owner), idle: make(chan struct{})}
}

// take has run called by a worker. It reports false if that would exceed the
// bounds, or if the end has come. It never waits.
func (w *workers) take(key string, bytes int, run func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.owners[key]
	if w.refuse || w.tasks >= w.bounds.tasks || w.bytes+bytes > w.bounds.bytes || o != nil && o.tasks >= w.bounds.perOwner {
		return false
	}
	if o == nil {
		o = &owner{}
		w.owners[key] = o
	}
	w.tasks++
	w.bytes += bytes
	o.tasks++
	o.queue = append(o.queue, run)
	if !o.busy {
		o.busy = true
		w.ready = append(w.ready, o)
	}
	if w.running < w.max && len(w.ready) > 0 {
		w.running++
		w.wg.Go(w.work)
	}
	return true
}

// finish makes room for another task.
func (w *workers) finish(key string, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks--
	w.bytes -= bytes
	o := w.owners[key]
	if o.tasks--; o.tasks == 0 {
		// Its queue is empty, for what is queued is not finished.
		delete(w.owners, key)
	}
	if w.refuse && w.tasks == 0 {
		close(w.idle)
	}
}

func (w *workers) work() {
	for {
		w.mu.Lock()
		if len(w.ready) == 0 {
			w.running--
			w.mu.Unlock()
			return
		}
		o := w.ready[0]
		w.ready = w.ready[1:]
		run := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		w.mu.Unlock()

		run()

		w.mu.Lock()
		if o.busy = len(o.queue) > 0; o.busy {
			w.ready = append(w.ready, o)
		}
		w.mu.Unlock()
	}
}

// stop has nothing more taken. To be called once.
func (w *workers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = true
	if w.tasks == 0 {
		close(w.idle)
	}
}

// waitIdle waits after stop until all is finished, at most d, nor longer than
// ctx. It reports whether all is.
func (w *workers) waitIdle(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.idle:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// wait waits for the goroutines.
func (w *workers) wait() { w.wg.Wait() }
