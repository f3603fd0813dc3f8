package push

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rouse/session"
)

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
			o.addFor("dead.example", fmt.Sprint("d", i), "", session.Message)
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
		fail := func(times int) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.failures = times
		}
		fail(40) // over a minute, and the store is back
		o.add("2", "a", session.Message)
		time.Sleep(2 * time.Minute)
		if o.last(t, "2").Verdict != session.Sent {
			t.Error("not settled once that was possible")
		}
		fail(1 << 30)
		o.add("3", "a", session.Message)
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

// hasty says that something is due, and has nothing.
type hasty struct{ *outbox }

func (hasty) Wait(context.Context) error { return nil }

func TestOutboxThatIsHastyDoesNotMakeUsSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		_, stop := run(t, o, nil, func(c *WorkersConfig) { c.Outbox = hasty{o} })
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if o.claims > 1000 {
			t.Errorf("%d claims in 10 s", o.claims)
		}
	})
}

// TestRateOfAnApp: an app sends so many wakes in a second and no more, each after
// the other; calls go out meanwhile.
func TestRateOfAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var mu sync.Mutex
		var at []time.Duration
		start := time.Now()
		run(t, o, map[string]App{"slow": {Rate: 20, Provider: provider(func(_ context.Context, n Notification) Result {
			mu.Lock()
			defer mu.Unlock()
			if n.Class != session.Call {
				at = append(at, time.Since(start))
			}
			return Result{Outcome: Delivered}
		})}, "other": {Provider: slow(0, Result{Outcome: Delivered})}})
		for i := range 200 {
			o.add(fmt.Sprint(i), "slow", session.Message)
		}
		time.Sleep(2 * time.Second)
		o.add("call", "slow", session.Call)
		o.add("neighbour", "other", session.Message)
		synctest.Wait()
		for _, id := range []string{"call", "neighbour"} {
			if s := o.last(t, id); s.Verdict != session.Sent || s.Latency > time.Second {
				t.Errorf("%s: %+v", id, s)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(at) != 200 {
			t.Fatalf("%d were sent", len(at))
		}
		for i := range at {
			if i+40 < len(at) && at[i+40]-at[i] < time.Second {
				t.Errorf("41 within a second from %v on", at[i])
				break
			}
		}
		if last := at[len(at)-1]; last < 9*time.Second-time.Millisecond || last > 20*time.Second {
			t.Errorf("200 wakes took %v at 20 a second", last)
		}
	})
}
