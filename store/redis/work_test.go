package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rouse/store"
)

// work is callers who decide about owners of theirs, one decision after the other,
// until they are told to stop. What they were told is stored they hold the store to.
type work struct {
	s    *Store
	quit chan struct{}
	all  sync.WaitGroup

	decided atomic.Int64 // decisions that the store said it has
	failed  atomic.Int64 // decisions of which it did not say so

	mu    sync.Mutex
	lost  []time.Time   // when the store had said so, of decisions that are not there
	worst time.Duration // that one took which was stored in the end
	last  error         // why one failed
}

// worker decides about one owner.
type worker struct {
	*work
	key     string
	version uint64
	known   bool // version is the one that is stored
	serial  uint64
	told    map[uint64]time.Time // of the last decisions, by serial
	newest  uint64               // that the store has, it said
}

// begin has callers decide about one owner each.
func begin(s *Store, keys ...string) *work {
	w := &work{s: s, quit: make(chan struct{})}
	for _, key := range keys {
		w.all.Go(func() {
			one := &worker{work: w, key: key, told: make(map[uint64]time.Time)}
			for {
				select {
				case <-w.quit:
					one.look()
					return
				default:
					one.decide()
				}
			}
		})
	}
	return w
}

func users(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("user%d@example.org", i))
	}
	return keys
}

func (w *worker) decide() {
	if !w.known && !w.look() {
		return
	}
	w.serial++
	c := typical(w.key, w.serial)
	c.Version = w.version
	began := time.Now()
	v, err := w.s.Commit(context.Background(), c)
	if err != nil {
		w.known = false
		if !errors.Is(err, store.ErrConflict) { // somebody took something back: look will tell
			w.fail(err)
		}
		return
	}
	now := time.Now()
	w.version, w.newest = v, w.serial
	w.told[w.serial] = now
	delete(w.told, w.serial-100_000)
	w.decided.Add(1)
	w.mu.Lock()
	w.worst = max(w.worst, now.Sub(began))
	w.mu.Unlock()
}

// look reads what is stored, and counts what is missing.
func (w *worker) look() bool {
	o, err := w.s.Load(context.Background(), w.key)
	if err != nil {
		w.fail(err)
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := o.Account.Serial + 1; n <= w.newest; n++ {
		w.lost = append(w.lost, w.told[n])
	}
	w.version, w.known, w.newest = o.Version, true, min(w.newest, o.Account.Serial)
	return true
}

func (w *work) fail(err error) {
	w.failed.Add(1)
	w.mu.Lock()
	w.last = err
	w.mu.Unlock()
	select {
	case <-w.quit:
	case <-time.After(20 * time.Millisecond):
	}
}

// more waits until so many more decisions were made.
func (w *work) more(t testing.TB, n int64) {
	t.Helper()
	goal := w.decided.Load() + n
	until(t, "decisions go on", func() bool { return w.decided.Load() >= goal })
}

// end waits for the callers, and gives when those decisions that are lost were said
// to be stored.
func (w *work) end(t testing.TB) []time.Time {
	t.Helper()
	close(w.quit)
	w.all.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%d decisions, %d failed (the last with %v), %d lost; the slowest took %v", w.decided.Load(), w.failed.Load(), w.last, len(w.lost), w.worst.Round(time.Millisecond))
	return w.lost
}

// setbacks counts what OnSetback tells.
type setbacks struct {
	mu     sync.Mutex
	causes []string
}

func (b *setbacks) listen(o *Options) {
	o.OnSetback = func(cause string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.causes = append(b.causes, cause)
	}
}

func (b *setbacks) list() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.causes...)
}
