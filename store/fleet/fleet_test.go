package fleet

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rouse/store"
)

// process is one member with what surrounds it.
type process struct {
	*Member
	t      *testing.T
	path   *path
	log    record
	skew   time.Duration // of its clock, as after a pause
	wall   time.Duration // of what it reads the time from
	finish time.Duration // that its duty takes to end
	duties atomic.Int32  // begun
	atWork atomic.Bool

	mu         sync.Mutex
	live, link sync.WaitGroup
	stopLive   context.CancelFunc
	stopStand  context.CancelFunc
}

type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// join adds a member to a fleet, until the test ends. It has until the next
// moment to become the one that holds the link.
func join(t *testing.T, f *fake, name string, change ...func(*process)) *process {
	began := time.Now()
	p := &process{t: t, path: &path{fake: f}}
	for _, c := range change {
		c(p)
	}
	p.Member = New(Config{
		ID: name, Store: p.path, Logger: slog.New(slog.NewTextHandler(&p.log, nil)), Duty: p.duty,
		Self: func() store.Process { return store.Process{Machine: "of " + name} },
		Clock: func() time.Duration {
			p.mu.Lock()
			defer p.mu.Unlock()
			return time.Since(began) + p.skew
		},
		Now: func() time.Time {
			p.mu.Lock()
			defer p.mu.Unlock()
			return time.Now().Add(p.wall)
		},
	})
	var live, stand context.Context
	live, p.stopLive = context.WithCancel(context.Background())
	stand, p.stopStand = context.WithCancel(context.Background())
	p.live.Go(func() { p.Live(live) })
	p.link.Go(func() {
		if err := p.Stand(stand); err != nil {
			t.Errorf("%s: Stand: %v", name, err)
		}
	})
	synctest.Wait()
	return p
}

func (p *process) duty(ctx, lost context.Context) error {
	p.duties.Add(1)
	p.atWork.Store(true)
	select {
	case <-lost.Done():
	case <-ctx.Done():
		select {
		case <-time.After(p.finish):
		case <-lost.Done():
		}
	}
	p.atWork.Store(false)
	return nil
}

func (p *process) works() bool { return p.atWork.Load() }

// stop ends a process as an operator would.
func (p *process) stop() {
	p.stopStand()
	p.link.Wait()
	p.stopLive()
	p.live.Wait()
}

// breaks has its requests come to an error, or to nothing; nil: they get through.
func (p *process) breaks(fail error, hang bool) {
	p.path.mu.Lock()
	p.path.fail, p.path.hang = fail, hang
	p.path.mu.Unlock()
}

// wakesAfter is what a pause leaves behind: its clock has gone on.
func (p *process) wakesAfter(d time.Duration) {
	p.mu.Lock()
	p.skew += d
	p.mu.Unlock()
}

func fleetOf(t *testing.T, do func(t *testing.T, f *fake)) {
	synctest.Test(t, func(t *testing.T) { do(t, &fake{heard: make(map[string]time.Time)}) })
}

// until waits in steps of a millisecond, and gives how long it took.
func until(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > time.Minute {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

func TestOneHolds(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a, b := join(t, f, "a"), join(t, f, "b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if !a.Holds() || !a.works() || b.Holds() || b.works() || a.duties.Load() != 1 {
			t.Errorf("a holds: %v, works: %v, %d times; b: %v, %v", a.Holds(), a.works(), a.duties.Load(), b.Holds(), b.works())
		}
		for _, p := range []*process{a, b} {
			s := p.State()
			if s.Holder.Machine != "of a" || s.Holder.Holds.IsZero() || len(s.Processes) != 2 || s.Err != nil {
				t.Errorf("%s knows %+v", p.cfg.ID, s)
			}
		}
		if n := strings.Count(b.log.String(), "standing by"); n != 1 {
			t.Errorf("b says %d times that it stands by:\n%s", n, b.log.String())
		}
		a.stop()
		b.stop()
	})
}

// TestTakeover: a holder that is killed says nothing any more.
func TestTakeover(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a, b, c := join(t, f, "a"), join(t, f, "b"), join(t, f, "c")
		time.Sleep(time.Minute + 700*time.Millisecond)
		a.breaks(errRefused, false)
		if d := until(t, "a new holder", func() bool { return b.works() || c.works() }); d > ttl {
			t.Errorf("the link was taken over after %v", d)
		}
		until(t, "the wakes of a", func() bool { return len(f.given()) > 0 })
		time.Sleep(time.Minute)
		if !slices.Equal(f.given(), []string{"a"}) {
			t.Errorf("the leases on wakes were ended of %q", f.given())
		}
		if n := strings.Count(b.log.String()+c.log.String(), `msg="a process is gone`); n != 1 {
			t.Errorf("said %d times:\n%s%s", n, b.log.String(), c.log.String())
		}
		a.stop()
		b.stop()
		c.stop()
	})
}

// TestWakesOfTheGone: they are given back within silence and a beat, and a store
// that does not want it at first is asked again.
func TestWakesOfTheGone(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a, b := join(t, f, "a"), join(t, f, "b")
		time.Sleep(time.Minute + 300*time.Millisecond)
		a.breaks(nil, true)
		if d := until(t, "the wakes of a", func() bool { return len(f.given()) > 0 }); d > silence+beat {
			t.Errorf("after %v", d)
		}
		a.breaks(nil, false)
		until(t, "a to be back", func() bool { return len(b.State().Processes) == 2 })
		a.stop()
		b.stop()
	})
}

// TestRenewalsFail: a short trouble of the store costs nothing, and a longer one
// the link, at the very end of the lease.
func TestRenewalsFail(t *testing.T) {
	for name, hang := range map[string]bool{"refused": false, "no answer": true} {
		t.Run(name, func(t *testing.T) {
			fleetOf(t, func(t *testing.T, f *fake) {
				a := join(t, f, "a")
				time.Sleep(10*time.Second + 500*time.Millisecond) // half a beat since the last renewal
				a.breaks(errRefused, hang)
				time.Sleep(time.Second)
				a.breaks(nil, false)
				time.Sleep(10 * time.Second)
				if a.duties.Load() != 1 || !a.works() {
					t.Fatalf("a second without the store cost the link:\n%s", a.log.String())
				}
				synctest.Wait()
				f.mu.Lock()
				sent := f.ends.Add(-ttl) // there is no delay
				f.mu.Unlock()
				a.breaks(errRefused, hang)
				until(t, "the end of the duty", func() bool { return !a.works() })
				if d := time.Since(sent); d < ttl || d > ttl+time.Millisecond || a.Holds() {
					t.Errorf("the link was given up %v after the last renewal", d)
				}
				if s := a.State(); s.Err == nil || s.Holder.ID != "" {
					t.Errorf("it knows %+v", s)
				}
				time.Sleep(time.Minute)
				a.breaks(nil, false)
				if d := until(t, "the link", a.works); d > 2*beat {
					t.Errorf("it took part again after %v", d)
				}
				if s := a.State(); s.Err != nil || s.Holder.ID != "a" {
					t.Errorf("it knows %+v", s)
				}
				for _, words := range []string{"ran out before it was renewed", "does not take that this process lives", "answers again"} {
					if n := strings.Count(a.log.String(), words); n < 1 || n > 2 {
						t.Errorf("%q is said %d times:\n%s", words, n, a.log.String())
					}
				}
				a.stop()
			})
		})
	}
}

// TestPausedForLong: on waking a process knows without asking that it may not
// have the link, and learns who has it.
func TestPausedForLong(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a, b := join(t, f, "a"), join(t, f, "b")
		time.Sleep(time.Minute)
		a.breaks(nil, true)
		until(t, "b to take over", b.works)
		a.breaks(nil, false)
		a.wakesAfter(8 * time.Second)
		if a.Holds() {
			t.Error("it believes in its lease after a pause")
		}
		until(t, "the end of a's duty", func() bool { return !a.works() })
		time.Sleep(time.Minute)
		if a.Holds() || a.duties.Load() != 1 || !b.Holds() || a.State().Holder.ID != "b" {
			t.Errorf("a holds: %v, has begun %d times; b holds: %v", a.Holds(), a.duties.Load(), b.Holds())
		}
		a.stop()
		b.stop()
	})
}

// TestPausedAlone: nobody took over, so it goes on; but what it had is cut, for
// nobody can know that.
func TestPausedAlone(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a := join(t, f, "a")
		time.Sleep(time.Minute + 400*time.Millisecond)
		a.wakesAfter(8 * time.Second)
		if a.Holds() {
			t.Error("it believes in its lease after a pause")
		}
		if d := until(t, "the link", func() bool { return a.duties.Load() == 2 && a.works() }); d > beat {
			t.Errorf("after %v", d)
		}
		a.stop()
	})
}

// TestClockIsSet: what people set their clocks to has nothing to do with leases.
func TestClockIsSet(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a, b := join(t, f, "a"), join(t, f, "b")
		for _, by := range []time.Duration{time.Hour, -2 * time.Hour, time.Second} {
			a.mu.Lock()
			a.wall += by
			a.mu.Unlock()
			time.Sleep(time.Minute)
		}
		if !a.Holds() || a.duties.Load() != 1 || b.duties.Load() != 0 {
			t.Errorf("a holds: %v, %d times; b %d times", a.Holds(), a.duties.Load(), b.duties.Load())
		}
		a.stop()
		b.stop()
	})
}

// TestHandOver: whoever stops in good order finishes first, and has a successor
// within a second of that.
func TestHandOver(t *testing.T) {
	fleetOf(t, func(t *testing.T, f *fake) {
		a := join(t, f, "a", func(p *process) { p.finish = 7500 * time.Millisecond }) // between two beats of b
		b := join(t, f, "b")
		time.Sleep(time.Minute)
		a.stopStand()
		synctest.Wait()
		if d := until(t, "the end of the duty", func() bool { return !a.works() }); d != a.finish {
			t.Errorf("it finished after %v", d)
		}
		if b.duties.Load() > 0 {
			t.Error("b took over before a had finished")
		}
		if d := until(t, "b", b.works); d > beat {
			t.Errorf("b took over after %v", d)
		}
		if a.Holds() {
			t.Error("a still believes that it has the link")
		}
		time.Sleep(10 * time.Second) // its workers may take longer
		if s := b.State(); len(s.Processes) != 2 || s.Holder.ID != "b" {
			t.Errorf("before a is gone: %+v", s)
		}
		a.stop()
		time.Sleep(10 * time.Second)
		if s := b.State(); len(s.Processes) != 1 || len(f.given()) > 0 {
			t.Errorf("afterwards: %+v; %q were taken for dead", s, f.given())
		}
		b.stop()
	})
}

// TestNeverTwo: whatever becomes of requests and answers, and however long a
// process stands still, no two of them ever believe that they may have the link;
// and when all is well again one does.
func TestNeverTwo(t *testing.T) {
	const rounds = 60
	tenures := 0
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fleetOf(t, func(t *testing.T, f *fake) {
				r := rand.New(rand.NewPCG(seed, 1))
				var mu sync.Mutex
				random := func(n time.Duration) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(r.Int64N(int64(n)))
				}
				var calm atomic.Bool
				delay := func() (there, back time.Duration) {
					if calm.Load() || random(4) > 0 {
						return random(50 * time.Millisecond), random(50 * time.Millisecond)
					}
					return random(4 * time.Second), random(4 * time.Second)
				}
				var all []*process
				for _, name := range []string{"a", "b", "c"} {
					all = append(all, join(t, f, name, func(p *process) { p.path.delay = delay }))
				}
				for range 60_000 / 5 {
					time.Sleep(5 * time.Millisecond)
					var holders []string
					for _, p := range all {
						if p.Holds() {
							holders = append(holders, p.cfg.ID)
						}
					}
					if len(holders) > 1 {
						t.Fatalf("%q hold", holders)
					}
					switch p := all[random(3)]; random(400) {
					case 0:
						p.wakesAfter(random(10 * time.Second))
					case 1:
						p.breaks(errRefused, false)
					case 2:
						p.breaks(nil, true)
					case 3, 4, 5:
						p.breaks(nil, false)
					}
				}
				calm.Store(true)
				for _, p := range all {
					p.breaks(nil, false)
				}
				until(t, "somebody to hold", func() bool {
					return slices.ContainsFunc(all, (*process).works)
				})
				for _, p := range all {
					tenures += int(p.duties.Load())
					p.stop()
				}
				time.Sleep(time.Minute) // what is still on its way arrives
			})
		})
	}
	if tenures < 5*rounds {
		t.Errorf("only %d tenures in %d rounds: nothing was tried", tenures, rounds)
	}
}
