package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rouse/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is the store of a fleet in the memory of a test, by the clock of its bubble.
type fake struct {
	mu     sync.Mutex
	holder string
	fence  uint64
	ends   time.Time
	list   []store.Process
	heard  map[string]time.Time
	ended  []string // processes whose leases on wakes were ended
}

// path is one member's way to the store.
type path struct {
	*fake
	delay func() (there, back time.Duration)
	fail  error // what requests come to, when it is set
	hang  bool  // requests do not come back
}

var errRefused = errors.New("redis: connection refused")

// trip makes a round trip; what is done may come back as an error all the same.
func (p *path) trip(ctx context.Context, do func()) error {
	p.mu.Lock()
	fail, hang := p.fail, p.hang
	p.mu.Unlock()
	if fail != nil {
		return fail
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	there, back := time.Duration(0), time.Duration(0)
	if p.delay != nil {
		there, back = p.delay()
	}
	done := make(chan struct{})
	go func() { // it arrives, whether anybody still waits for it or not
		defer close(done)
		time.Sleep(there)
		p.mu.Lock()
		do()
		p.mu.Unlock()
		time.Sleep(back)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *path) Announce(ctx context.Context, self store.Process, silence time.Duration) ([]store.Process, error) {
	var gone []store.Process
	err := p.trip(ctx, func() {
		p.drop(self.ID)
		p.list = append(p.list, self)
		p.heard[self.ID] = time.Now()
		for _, q := range slices.Clone(p.list) {
			if time.Since(p.heard[q.ID]) > silence {
				gone = append(gone, q)
				p.drop(q.ID)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

func (p *path) drop(id string) {
	p.list = slices.DeleteFunc(p.list, func(q store.Process) bool { return q.ID == id })
	delete(p.heard, id)
}

func (p *path) Depart(ctx context.Context, id string) error {
	return p.trip(ctx, func() {
		p.drop(id)
		if p.holder == id {
			p.holder = ""
		}
	})
}

// Inherited: nobody is told twice here.
func (p *path) Inherited(ctx context.Context, _ string) error { return p.trip(ctx, func() {}) }

func (p *path) Processes(ctx context.Context) ([]store.Process, error) {
	var list []store.Process
	err := p.trip(ctx, func() { list = slices.Clone(p.list) })
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (p *path) Hold(ctx context.Context, _, process string, ttl time.Duration) (store.Lease, error) {
	var l store.Lease
	err := p.trip(ctx, func() {
		now := time.Now()
		switch {
		case p.holder == process && now.Before(p.ends):
			p.ends = now.Add(ttl)
		case p.holder == "" || !now.Before(p.ends):
			p.holder, p.ends, p.fence = process, now.Add(ttl), p.fence+1
		}
		l = store.Lease{Holder: p.holder, Fence: p.fence, Left: p.ends.Sub(now)}
	})
	if err != nil {
		return store.Lease{}, err
	}
	return l, nil
}

func (p *path) EndLeases(ctx context.Context, process string) error {
	return p.trip(ctx, func() { p.ended = append(p.ended, process) })
}

// given are the processes whose wakes were given back.
func (f *fake) given() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ended)
}
