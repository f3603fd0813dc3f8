package push

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rouse/session"
)

func classes(t *rapid.T) session.Class {
	return session.Class(rapid.IntRange(int(session.Silent), int(session.Call)).Draw(t, "class"))
}

func TestNextProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := classes(t)
		o := rapid.SampledFrom([]Outcome{RateLimited, Unavailable}).Draw(t, "outcome")
		n := rapid.IntRange(-1, 1<<20).Draw(t, "attempt")
		r := rapid.Float64Range(0, 0.999999).Draw(t, "r")
		d := Next(c, n, o, 0, r)
		if d < 200*time.Millisecond || d > MaxDelay {
			t.Fatalf("delay %v is out of bounds", d)
		}
		if later := Next(c, n+1, o, 0, r); later < d {
			t.Fatalf("attempt %d waits %v, attempt %d only %v", n, d, n+1, later)
		}
		if base := Next(c, n, o, 0, 0); d > base || d < base*3/4 {
			t.Fatalf("jitter took %v to %v", base, d)
		}
		if c != session.Call && o == RateLimited && d < QuietDelay {
			t.Fatalf("%v after being told to slow down", d)
		}
	})
}

func TestNextKeepsToRetryAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wish := time.Duration(rapid.Int64Range(1, int64(100*time.Hour)).Draw(t, "wish"))
		o := rapid.SampledFrom([]Outcome{RateLimited, Unavailable}).Draw(t, "outcome")
		d := Next(classes(t), rapid.IntRange(1, 40).Draw(t, "attempt"), o, wish, rapid.Float64Range(0, 0.999999).Draw(t, "r"))
		least := min(wish, MaxRetryAfter)
		if d < least || d > least+least/10 {
			t.Fatalf("asked for %v, got %v", wish, d)
		}
	})
}

func TestNextTable(t *testing.T) {
	for _, c := range []struct {
		class   session.Class
		attempt int
		outcome Outcome
		want    time.Duration
	}{
		{session.Message, 1, Unavailable, time.Second},
		{session.Message, 2, Unavailable, 2 * time.Second},
		{session.Message, 5, Unavailable, 16 * time.Second},
		{session.Message, 11, Unavailable, 10 * time.Minute},
		{session.Message, 1, RateLimited, 80 * time.Second},
		{session.Silent, 4000, Unavailable, 10 * time.Minute},
		{session.Call, 1, Unavailable, 300 * time.Millisecond},
		{session.Call, 2, Unavailable, time.Second},
		{session.Call, 3, Unavailable, 2 * time.Second},
		{session.Call, 4, Unavailable, 4 * time.Second},
		{session.Call, 20, Unavailable, 4 * time.Second},
		{session.Call, 1, RateLimited, 2 * time.Second},
	} {
		if got := Next(c.class, c.attempt, c.outcome, 0, 0); got != c.want {
			t.Errorf("%v, try %d, %v: %v, want %v", c.class, c.attempt, c.outcome, got, c.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	since := time.Unix(1_800_000_000, 0)
	for c := session.Silent; c < session.NumClasses; c++ {
		want := 28 * 24 * time.Hour
		switch c {
		case session.Call:
			want = 45 * time.Second
		case session.Silent:
			want = 24 * time.Hour
		}
		if got := Expiry(c, since).Sub(since); got != want {
			t.Errorf("%v: %v, want %v", c, got, want)
		}
	}
}

func TestCollapse(t *testing.T) {
	if Collapse(session.Call, "n") != "" {
		t.Error("a call may be replaced")
	}
	message := Collapse(session.Message, "n")
	if message != Collapse(session.Group, "n") || message == "" || len(message) > 64 {
		t.Errorf("shown wakes of a device: %q", message)
	}
	if message == Collapse(session.Silent, "n") || message == Collapse(session.Message, "m") {
		t.Error("a silent wake, or another device's, would replace a message")
	}
}
