package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func (o *outbox) add(id, app string, c session.Class) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	key := session.WakeKey{Address: session.Address{Service: "push.example.org", Node: "nodeABCDEF-" + id}, Class: c}
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

// What becomes of a wake, for every outcome.
func TestSettlements(t *testing.T) {
	since := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name string
		r    Result
		want session.Settlement
	}{
		{"delivered", Result{Outcome: Delivered}, session.Settlement{Verdict: session.Sent}},
		{"gone", Result{Outcome: TokenGone, Since: since}, session.Settlement{Verdict: session.Died, Since: since}},
		{"rate", Result{Outcome: RateLimited}, session.Settlement{Verdict: session.Again, Due: time.Now().Add(80 * time.Second)}},
		{"rate, told", Result{Outcome: RateLimited, RetryAfter: 7 * time.Second}, session.Settlement{Verdict: session.Again, Due: time.Now().Add(7 * time.Second)}},
		{"down", Result{Outcome: Unavailable}, session.Settlement{Verdict: session.Again, Due: time.Now().Add(time.Second)}},
		{"credentials", Result{Outcome: BadCredentials}, session.Settlement{Verdict: session.Again, Free: true, Due: time.Now().Add(time.Minute)}},
		{"config", Result{Outcome: BadConfig}, session.Settlement{Verdict: session.Again, Free: true, Due: time.Now().Add(time.Minute)}},
		{"request", Result{Outcome: BadRequest}, session.Settlement{Verdict: session.GaveUp}},
		{"unheard of", Result{Outcome: NumOutcomes}, session.Settlement{Verdict: session.GaveUp}},
		{"gone, but nothing ever worked", Result{Outcome: TokenGone, Doubtful: true}, session.Settlement{Verdict: session.Again, Due: time.Now().Add(time.Second)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox()
				c.r.Reason = "word"
				run(t, o, map[string]App{"a": {Kind: "kind", Provider: slow(0, c.r)}})
				start := time.Now()
				o.add("1", "a", session.Message)
				synctest.Wait()
				got := o.last(t, "1")
				if got.Verdict != c.want.Verdict || got.Free != c.want.Free || !got.Since.Equal(c.want.Since) {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if got.Why != "kind: word" || got.At.IsZero() {
					t.Errorf("why %q at %v", got.Why, got.At)
				}
				switch {
				case c.want.Due.IsZero() != got.Due.IsZero():
					t.Errorf("due %v", got.Due)
				case !got.Due.IsZero() && c.name == "down" && got.Due.Sub(start) != time.Second:
					t.Errorf("due after %v", got.Due.Sub(start))
				case !got.Due.IsZero() && c.want.Free && got.Due.Sub(start) != ProbeEvery:
					t.Errorf("due after %v", got.Due.Sub(start))
				}
			})
		})
	}
}

func TestDoubtEndsWithTheFirstDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		run(t, o, map[string]App{"a": {Kind: "apns", Provider: provider(func(_ context.Context, n Notification) Result {
			if n.ID == "bad" {
				return Result{Outcome: TokenGone, Doubtful: true, Reason: "400 BadDeviceToken"}
			}
			return Result{Outcome: Delivered, Reason: "200"}
		})}})
		o.add("bad", "a", session.Message)
		time.Sleep(time.Minute)
		if s := o.last(t, "bad"); s.Verdict != session.Again {
			t.Fatalf("without any delivery: %v", s.Verdict)
		}
		o.add("good", "a", session.Message)
		time.Sleep(10 * time.Minute)
		if s := o.last(t, "bad"); s.Verdict != session.Died {
			t.Fatalf("after a delivery: %v", s.Verdict)
		}
	})
}

func TestRetryUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var at []time.Duration
		start := time.Now()
		run(t, o, map[string]App{"a": {Provider: provider(func(_ context.Context, n Notification) Result {
			at = append(at, time.Since(start))
			if len(at) < 5 {
				return Result{Outcome: Unavailable}
			}
			return Result{Outcome: Delivered}
		})}})
		o.add("1", "a", session.Message)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("tries at %v, want %v", at, want)
		}
		if s := o.last(t, "1"); s.Verdict != session.Sent || s.Latency != 15*time.Second {
			t.Errorf("%+v", s)
		}
	})
}

func TestCallsAreTriedFastAndGivenUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		tries := 0
		start := time.Now()
		run(t, o, map[string]App{"a": {Provider: provider(func(_ context.Context, n Notification) Result {
			tries++
			if !n.Expires.Equal(start.Add(CallLife)) || n.Collapse != "" {
				t.Errorf("%+v", n)
			}
			return Result{Outcome: Unavailable}
		})}})
		o.add("1", "a", session.Call)
		time.Sleep(time.Hour)
		s := o.last(t, "1")
		if s.Verdict != session.GaveUp || s.At.Sub(start) > CallLife || tries < 10 {
			t.Errorf("%d tries, then %+v", tries, s)
		}
	})
}

func TestExpiredWakesAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.add("1", "a", session.Call)
		o.add("2", "a", session.Message)
		time.Sleep(CallLife)
		run(t, o, map[string]App{"a": {Provider: provider(func(_ context.Context, n Notification) Result {
			if n.Class == session.Call {
				t.Error("an old call was sent")
			}
			return Result{}
		})}})
		synctest.Wait()
		if o.last(t, "1").Verdict != session.GaveUp || o.last(t, "2").Verdict != session.Sent {
			t.Error(o.settled)
		}
	})
}

func TestStoppedAppKeepsItsWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var mu sync.Mutex
		sends, fixed := 0, false
		w, _ := run(t, o, map[string]App{"a": {Kind: "apns", Concurrency: 1, Provider: provider(func(context.Context, Notification) Result {
			mu.Lock()
			defer mu.Unlock()
			sends++
			if fixed {
				return Result{Outcome: Delivered}
			}
			return Result{Outcome: BadCredentials, Reason: "403 InvalidProviderToken"}
		})}})
		for i := range 20 {
			o.add(fmt.Sprint(i), "a", session.Message)
		}
		time.Sleep(10*time.Minute + time.Second)
		mu.Lock()
		if sends < 5 || sends > 12 {
			t.Errorf("%d sends in 10 minutes of refusals", sends)
		}
		fixed = true
		mu.Unlock()
		if why := w.Stopped()["a"]; why != "apns: 403 InvalidProviderToken" {
			t.Errorf("stopped because %q", why)
		}
		if o.left() != 20 {
			t.Errorf("%d wakes are left", o.left())
		}
		o.mu.Lock()
		for id, r := range o.rows {
			if r.job.Wake.Attempt != 0 {
				t.Errorf("wake %s was charged %d tries", id, r.job.Wake.Attempt)
			}
		}
		o.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if o.left() != 0 || len(w.Stopped()) != 0 {
			t.Errorf("%d wakes are left, stopped %v", o.left(), w.Stopped())
		}
	})
}

func TestUnknownAppCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var log bytes.Buffer
		run(t, o, nil, func(c *WorkersConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		o.add("1", "old", session.Message)
		o.add("2", "old", session.Message)
		synctest.Wait()
		s := o.last(t, "1")
		if s.Verdict != session.Again || !s.Free || s.Due.Sub(s.At) != 10*time.Minute {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(log.String(), "app=old"); n != 1 {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
}

// A provider that hangs holds up its own app only, and even there calls get by.
func TestStalledAppHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var mu sync.Mutex
		now, most := 0, 0
		stalled := provider(func(ctx context.Context, n Notification) Result {
			if n.Class == session.Call {
				return Result{Outcome: Delivered}
			}
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return Result{Outcome: Unavailable, Err: ctx.Err()}
		})
		run(t, o, map[string]App{
			"stalled": {Provider: stalled, Concurrency: 8},
			"sound":   {Provider: slow(20*time.Millisecond, Result{Outcome: Delivered}), Concurrency: 8},
		})
		for i := range 500 {
			o.add(fmt.Sprint("s", i), "stalled", session.Message)
		}
		time.Sleep(5 * time.Second)
		start := time.Now()
		for i := range 50 {
			o.add(fmt.Sprint("h", i), "sound", session.Message)
		}
		o.add("call", "stalled", session.Call)
		time.Sleep(2 * time.Second)
		for i := range 50 {
			id := fmt.Sprint("h", i)
			if s := o.last(t, id); s.Verdict != session.Sent || s.At.Sub(start) > time.Second {
				t.Errorf("%s: %v after %v", id, s.Verdict, s.At.Sub(start))
			}
		}
		if s := o.last(t, "call"); s.Verdict != session.Sent || s.At.Sub(start) > time.Second {
			t.Errorf("call: %v after %v", s.Verdict, s.At.Sub(start))
		}
		mu.Lock()
		defer mu.Unlock()
		if most > 8 {
			t.Errorf("%d sends at once", most)
		}
		if o.claims > 1000 {
			t.Errorf("%d claims in 7 s: the loop spins", o.claims)
		}
	})
}

// One third-party service that does not answer leaves room for the others.
func TestSlowServiceHoldsUpNoOtherService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		run(t, o, map[string]App{"": {Kind: "relay", PerService: true, Concurrency: 16, Timeout: 200 * time.Second,
			Provider: provider(func(ctx context.Context, n Notification) Result {
				if n.Address.Service == "dead.example" {
					<-ctx.Done()
					return Result{Outcome: Unavailable}
				}
				return Result{Outcome: Delivered}
			})}})
		for i := range 100 {
			id := fmt.Sprint("d", i)
			o.add(id, "", session.Message)
			o.mu.Lock()
			o.rows[id].job.Key.Service = "dead.example"
			o.mu.Unlock()
		}
		time.Sleep(time.Second)
		o.add("1", "", session.Message)
		time.Sleep(time.Second)
		if s := o.last(t, "1"); s.Verdict != session.Sent {
			t.Errorf("%+v", s)
		}
	})
}

// A flood is worked off at the pace of the provider, nothing is sent twice and
// few wakes are claimed in vain.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var mu sync.Mutex
		sent := make(map[string]int)
		run(t, o, map[string]App{
			"a": {Concurrency: 32, Provider: provider(func(ctx context.Context, n Notification) Result {
				pause(ctx, 50*time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				sent[n.ID]++
				return Result{Outcome: Delivered}
			})},
			"idle": {Provider: slow(0, Result{})},
		})
		const n = 2000
		start := time.Now()
		for i := range n {
			o.add(fmt.Sprint(i), "a", session.Message)
		}
		for o.left() > 0 && time.Since(start) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(sent) != n {
			t.Fatalf("%d of %d were sent", len(sent), n)
		}
		extra := 0
		for id, times := range sent {
			if times != 1 {
				t.Errorf("%s was sent %d times", id, times)
			}
			extra += len(o.of(id)) - 1
		}
		// 2000 wakes, 32 at a time, 50 ms each: 3.1 s when nothing is lost between.
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if extra > n/2 {
			t.Errorf("%d wakes were claimed in vain", extra)
		}
	})
}

func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		_, stop := run(t, o, map[string]App{"a": {Provider: slow(5*time.Second, Result{Outcome: Delivered})}})
		o.add("1", "a", session.Message)
		time.Sleep(time.Second)
		start := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("took %v", took)
		}
		if all := o.of("1"); len(all) != 1 || all[0].Verdict != session.Sent {
			t.Errorf("%+v", all)
		}
	})
}

func TestShutdownCutsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		_, stop := run(t, o, map[string]App{"a": {Provider: slow(time.Hour, Result{}), Timeout: time.Hour}},
			func(c *WorkersConfig) { c.Drain = 3 * time.Second })
		o.add("1", "a", session.Message)
		o.add("2", "a", session.Message)
		time.Sleep(time.Second)
		start := time.Now()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "2 wakes") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		if len(o.of("1")) != 0 || o.left() != 2 {
			t.Error("a wake whose fate nobody knows was settled")
		}
	})
}

// Workers are stopped and started again and again while wakes come: none is
// lost, none is settled after it was sent.
func TestRestartsLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var mu sync.Mutex
		taken := make(map[string]int)
		app := App{Concurrency: 8, Provider: provider(func(ctx context.Context, n Notification) Result {
			if !pause(ctx, 70*time.Millisecond) {
				return Result{Outcome: Unavailable, Err: ctx.Err()}
			}
			mu.Lock()
			defer mu.Unlock()
			taken[n.ID]++
			return Result{Outcome: Delivered}
		})}
		const rounds, each = 20, 30
		for r := range rounds {
			_, stop := run(t, o, map[string]App{"a": app})
			for i := range each {
				o.add(fmt.Sprintf("%d-%d", r, i), "a", session.Message)
			}
			time.Sleep(time.Duration(r*13) * time.Millisecond)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
		run(t, o, map[string]App{"a": app})
		time.Sleep(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(taken) != rounds*each {
			t.Errorf("%d of %d were sent", len(taken), rounds*each)
		}
		for id, n := range taken {
			if n != 1 {
				t.Errorf("%s was sent %d times", id, n)
			}
			sent := 0
			for _, s := range o.of(id) {
				if s.Verdict == session.Sent {
					sent++
				}
			}
			if sent != 1 {
				t.Errorf("%s was settled as sent %d times", id, sent)
			}
		}
	})
}

func TestSettlementsAreInsistedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.failures = settleTries - 1
		_, stop := run(t, o, map[string]App{"a": {Provider: slow(0, Result{})}})
		o.add("1", "a", session.Message)
		time.Sleep(time.Minute)
		if o.last(t, "1").Verdict != session.Sent {
			t.Error("not settled")
		}
		o.mu.Lock()
		o.failures = settleTries
		o.mu.Unlock()
		o.add("2", "a", session.Message)
		time.Sleep(time.Minute)
		if err := stop(); err == nil {
			t.Error("a wake without a settlement is not mentioned")
		}
	})
}

func TestLogHoldsNoTokenAndIsNotFlooded(t *testing.T) {
	for o := Outcome(0); o < NumOutcomes; o++ {
		t.Run(o.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := newOutbox()
				var log bytes.Buffer
				run(t, box, map[string]App{"chat": {Provider: provider(func(_ context.Context, n Notification) Result {
					return Result{Outcome: o, Reason: "word", Remedy: "do this", Doubtful: true,
						Err: fmt.Errorf("POST https://x/%s: refused", n.Target.Token)}
				})}}, func(c *WorkersConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				for i := range 50 {
					box.add(fmt.Sprint(i), "chat", session.Message)
				}
				synctest.Wait()
				text := log.String()
				if strings.Contains(text, "secret-token") || strings.Contains(text, "nodeABC") {
					t.Errorf("the log tells too much: %s", text)
				}
				if o == Delivered {
					if text != "" {
						t.Errorf("success is logged: %s", text)
					}
					return
				}
				if !strings.Contains(text, "app=chat") || !strings.Contains(text, "reason=word") {
					t.Errorf("the log does not tell: %s", text)
				}
				if n := strings.Count(text, "\n"); n != 1 {
					t.Errorf("%d lines", n)
				}
			})
		})
	}
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var seen []string
		run(t, o, map[string]App{"a": {Kind: "fcm", Provider: slow(time.Second, Result{Outcome: Delivered})}}, func(c *WorkersConfig) {
			c.Observe = func(app, kind string, o Outcome, took time.Duration) {
				seen = append(seen, fmt.Sprint(app, " ", kind, " ", o, " ", took))
			}
		})
		o.add("1", "a", session.Message)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !slices.Equal(seen, []string{"a fcm delivered 1s"}) {
			t.Error(seen)
		}
	})
}
