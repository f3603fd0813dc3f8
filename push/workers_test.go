package push

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
			if !n.Expires.Equal(start.Add(session.CallLife)) || n.Collapse != "" {
				t.Errorf("%+v", n)
			}
			return Result{Outcome: Unavailable}
		})}})
		o.add("1", "a", session.Call)
		time.Sleep(time.Hour)
		s := o.last(t, "1")
		if s.Verdict != session.GaveUp || s.At.Sub(start) > session.CallLife || tries < 10 {
			t.Errorf("%d tries, then %+v", tries, s)
		}
	})
}

func TestExpiredWakesAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.add("1", "a", session.Call)
		o.add("2", "a", session.Message)
		time.Sleep(session.CallLife)
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

// A process that was stopped between claim and send finds that the wake is in
// other hands.
func TestWakesWhoseLeaseEndedAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.add("late", "a", session.Message)
		o.rows["late"].job.Wake.Lease = time.Now()
		o.add("in time", "a", session.Message)
		o.rows["in time"].job.Wake.Lease = time.Now().Add(time.Second)
		var sent []string
		run(t, o, map[string]App{"a": {Provider: provider(func(_ context.Context, n Notification) Result {
			sent = append(sent, n.ID)
			return Result{}
		})}})
		synctest.Wait()
		if !slices.Equal(sent, []string{"in time"}) || len(o.of("late")) != 0 {
			t.Errorf("sent %q, settled %v", sent, o.of("late"))
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

// TestWhatADeviceRegisteredIsSaidOnce: an address that will never do is the user's
// doing, and cannot fill the log.
func TestWhatADeviceRegisteredIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var log bytes.Buffer
		_, stop := run(t, o, map[string]App{"web": {Kind: "webpush", Provider: slow(0, Result{Outcome: BadRequest, Unfit: true, Reason: "not a public address", Remedy: "nothing to do"})}},
			func(c *WorkersConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for range 20 {
			for _, id := range []string{"1", "2"} {
				o.add(id, "web", session.Message)
				synctest.Wait()
				if s := o.last(t, id); s.Verdict != session.GaveUp {
					t.Fatalf("%+v", s)
				}
			}
			time.Sleep(time.Minute)
		}
		stop()
		if n := strings.Count(log.String(), "level="); n != 2 || strings.Contains(log.String(), "ERROR") {
			t.Errorf("%d lines about two devices:\n%s", n, log.String())
		}
		a := newApp("web", App{})
		for i := range 3 * maxUnfit {
			a.line(time.Now(), fmt.Sprint(i), Result{Outcome: BadRequest, Unfit: true}, false)
		}
		if len(a.unfit) > maxUnfit {
			t.Errorf("%d devices are remembered", len(a.unfit))
		}
	})
}

// TestWakesForAnotherProcess: what only the process with the link can send comes
// back for it, soon and without having been tried.
func TestWakesForAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var here atomic.Bool
		sent := make(chan time.Time, 2)
		run(t, o, map[string]App{"": {Kind: "relay", PerService: true, Here: here.Load, Provider: provider(func(context.Context, Notification) Result {
			sent <- time.Now()
			return Result{Outcome: Delivered}
		})}})
		o.add("1", "", session.Message)
		o.add("2", "", session.Call)
		time.Sleep(10 * time.Second)
		for id, most := range map[string]int{"1": 10 * 1000 / 400, "2": 10 * 1000 / 100} {
			tries := o.of(id)
			if len(tries) < 5 || len(tries) > most+1 || len(sent) != 0 {
				t.Errorf("%s was put aside %d times in 10 s, and sent %d times", id, len(tries), len(sent))
			}
			if s := tries[0]; s.Verdict != session.Again || !s.Free {
				t.Errorf("%s: %+v", id, s)
			}
		}
		here.Store(true)
		start := time.Now()
		for range 2 {
			if at := <-sent; at.Sub(start) > time.Second {
				t.Errorf("sent %v after it could be", at.Sub(start))
			}
		}
	})
}
