package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"rouse/push/pushtest"
)

// hand does one thing to the stage after the other. Hands work side by side, each
// with randomness of its own, so that faults meet.
type hand struct {
	every time.Duration // between two faults, on average
	kinds []misdeed
}

// misdeed is one kind of fault. do returns when it has healed.
type misdeed struct {
	kind string
	do   func(ctx context.Context, rng *rand.Rand) error
}

// soakFaults injects faults from a seed.
type soakFaults struct {
	stage *soakStage
	pace  float64
	only  []string // kinds; none: all
	seed  uint64
	ends  time.Time // nothing is done that takes much longer than that to be over

	mu   sync.Mutex // guards the rest
	rng  *rand.Rand // for answers of the stand-ins
	hung map[string]time.Time
}

// replies are the faults of a provider that concern one request each, and how
// many in a thousand requests get them.
var replies = []struct {
	kind string
	rate int
}{{"503", 60}, {"429", 50}, {"goaway", 60}, {"reset", 50}, {"hang", 50}, {"slow", 60}}

func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)))
}

// hands are those of this stage.
func (f *soakFaults) hands() []hand {
	s := f.stage
	var all []hand
	for _, r := range s.rouses {
		all = append(all,
			hand{every: 3 * time.Second, kinds: []misdeed{{"kill", f.kill(r)}, {"stop", f.freeze(r)}}},
			hand{every: 7 * time.Second, kinds: []misdeed{{"clock", f.jump(r)}}},
			hand{every: 3 * time.Second, kinds: f.onWire("link", 4*time.Second, r.link)})
	}
	all = append(all, s.store.hands(f)...)
	all = append(all,
		hand{every: 3 * time.Second, kinds: f.onWire("provider", 3*time.Second, s.toAPNs, s.toFCM)},
		hand{every: 10 * time.Second, kinds: []misdeed{{"prosody-restart", f.restart}, {"prosody-kill", f.cutPower}}})
	return all
}

// run injects until ctx ends, and heals everything.
func (f *soakFaults) run(ctx context.Context) error {
	f.rng, f.hung = rand.New(rand.NewPCG(f.seed, 0)), map[string]time.Time{}
	f.stage.apns.Answer(f.answer("ServiceUnavailable", "TooManyRequests"))
	f.stage.fcm.Answer(f.answer("UNAVAILABLE", "QUOTA_EXCEEDED"))
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for i, h := range f.hands() {
		h.kinds = slices.DeleteFunc(h.kinds, func(m misdeed) bool { return !f.wants(m.kind) })
		if len(h.kinds) == 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(f.seed, uint64(i+1)))
		wg.Go(func() {
			for sleep(ctx, time.Duration(rng.ExpFloat64()*float64(h.every)/f.pace)) {
				m := h.kinds[rng.IntN(len(h.kinds))]
				end := f.stage.books.begin(m.kind)
				err := m.do(ctx, rng)
				end()
				if err != nil {
					errs <- fmt.Errorf("%s: %w", m.kind, err)
					return
				}
			}
		})
	}
	wg.Wait()
	f.stage.apns.Answer(nil)
	f.stage.fcm.Answer(nil)
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func (f *soakFaults) wants(kind string) bool {
	return len(f.only) == 0 || slices.Contains(f.only, kind)
}

// kill is a crash: no word to anybody, and a while until somebody starts it again.
func (f *soakFaults) kill(r *soakRouse) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		r.kill()
		sleep(ctx, time.Duration(rng.Int64N(int64(3*time.Second))))
		return r.start()
	}
}

// freeze is a process that gets no time, and then goes on as if nothing had been.
func (f *soakFaults) freeze(r *soakRouse) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		if err := r.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		sleep(ctx, between(rng, 50*time.Millisecond, 4*time.Second))
		return r.signal(syscall.SIGCONT)
	}
}

func (f *soakFaults) fill(r *soakRouse) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		if err := r.full(true); err != nil {
			return err
		}
		sleep(ctx, between(rng, 50*time.Millisecond, 4*time.Second))
		return r.full(false)
	}
}

// onWire are the faults of a network: connections break, are slow, or stand still.
func (f *soakFaults) onWire(name string, longest time.Duration, wires ...*wire) []misdeed {
	on := func(do func(w *wire, rng *rand.Rand)) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, rng *rand.Rand) error {
			w := wires[rng.IntN(len(wires))]
			do(w, rng)
			sleep(ctx, between(rng, 20*time.Millisecond, longest))
			w.heal()
			return nil
		}
	}
	return []misdeed{
		{name + "-cut", on(func(w *wire, rng *rand.Rand) { w.cut(rng.IntN(2) == 0) })},
		{name + "-delay", on(func(w *wire, rng *rand.Rand) { w.slow(between(rng, 5*time.Millisecond, 300*time.Millisecond)) })},
		{name + "-stall", on(func(w *wire, rng *rand.Rand) { w.stall() })},
	}
}

// restart is what an administrator does.
func (f *soakFaults) restart(ctx context.Context, _ *rand.Rand) error {
	return f.stage.restart(ctx, func() error { return f.stage.prosody.Stop(ctx) })
}

// serverKeeps is how long mod_rouse may take to put a report on the disk: a
// second, and what a busy machine adds (2.8 s were seen with ten programs for each core).
const serverKeeps = 10 * time.Second

// cutPower is a crash of the server. What it did not put on the disk is gone, and
// with it what rouse was to be told, if it was not told yet.
func (f *soakFaults) cutPower(ctx context.Context, _ *rand.Rand) error {
	return f.stage.restart(ctx, func() error {
		err := f.stage.prosody.Kill()
		now := time.Now()
		f.stage.books.excuse(now.Add(-serverKeeps), now.Add(-serverKeeps-soakAckDelay), "the server was cut off before it had told or kept it")
		return err
	})
}

// restart ends Prosody and starts it: no device has a session then.
func (s *soakStage) restart(ctx context.Context, end func() error) error {
	ctx = context.WithoutCancel(ctx) // never half of it
	s.up.Lock()
	defer s.up.Unlock()
	ctx, cancel := context.WithTimeout(ctx, soakPatience)
	defer cancel()
	for _, d := range s.devices {
		switch d.state {
		case awake, frozen:
			s.books.note(d.page, entry{at: time.Now(), what: fellAsleep})
			d.state = offline
		case hibernated:
			d.state = offline
		}
	}
	if err := end(); err != nil {
		return err
	}
	return started(ctx, s.prosody.Start)
}

// started has something begin, and again on a machine so busy that there is no
// answer in time.
func started(ctx context.Context, start func(context.Context) error) error {
	for {
		err := start(ctx)
		if err == nil || !sleep(ctx, time.Second) {
			return err
		}
	}
}

// answer gives what a stand-in asks about every request.
func (f *soakFaults) answer(unavailable, tooMany string) func(pushtest.Received) *pushtest.Reply {
	return func(r pushtest.Received) *pushtest.Reply {
		kind, draw := f.draw(r)
		if kind == "" {
			return nil
		}
		if kind == "reset" { // with the connection, and whatever else is under way on it
			f.stage.books.hit(kind, "")
		} else {
			f.stage.books.hit(kind, r.Token)
		}
		switch kind {
		case "503":
			return &pushtest.Reply{Status: http.StatusServiceUnavailable, Reason: unavailable}
		case "429":
			return &pushtest.Reply{Status: http.StatusTooManyRequests, Reason: tooMany, RetryAfter: "1"}
		case "goaway":
			return &pushtest.Reply{GoAway: true}
		case "reset":
			return &pushtest.Reply{Reset: true}
		case "hang":
			return &pushtest.Reply{Hang: true}
		}
		return &pushtest.Reply{Delay: time.Duration(draw * float64(800*time.Millisecond))}
	}
}

// What is over only some time after it was done.
const (
	hangs       = 31 * time.Second // rouse gives a request 30 s
	patience429 = 68 * time.Second // FCM wants a minute between tries after 429
)

// draw decides what becomes of a request. A call is left hanging once at most,
// which takes most of the time for which it is of use, and FCM asks for no
// patience with it, which takes all of it.
func (f *soakFaults) draw(r pushtest.Received) (kind string, random float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, random := f.rng.IntN(1000), f.rng.Float64()
	for _, reply := range replies {
		if n -= reply.rate; n >= 0 {
			continue
		}
		kind = reply.kind
		break
	}
	now, call, fcm := time.Now(), r.Collapse == "", r.ID == ""
	switch {
	case kind == "hang" && (now.Add(hangs).After(f.ends) || call && now.Sub(f.hung[r.Token]) < time.Minute),
		kind == "429" && fcm && (now.Add(patience429).After(f.ends) || call):
		kind = "503"
	case kind == "hang":
		f.hung[r.Token] = now
	}
	if !f.wants(kind) {
		kind = ""
	}
	return kind, random
}
