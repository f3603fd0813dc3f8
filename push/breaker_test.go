package push

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBreaker(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for o := Outcome(0); o < NumOutcomes; o++ {
		b := Breaker{}.Record(now, o, "why")
		if want := o == BadCredentials || o == BadConfig; b.Open != want {
			t.Errorf("closed, %v: open %v", o, b.Open)
		}
		b = Breaker{}.Record(now, BadCredentials, "first").Record(now, o, "why")
		if want := o == BadCredentials || o == BadConfig || o == Unavailable; b.Open != want {
			t.Errorf("open, %v: open %v", o, b.Open)
		}
	}
}

// While the breaker is open, no minute sees more than one wake, and none goes by
// without one that is allowed.
func TestBreakerProbesOncePerMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		b := Breaker{}.Record(now, BadConfig, "why")
		last := now
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "step")))
			next, ok := b.Allow(now)
			if due := !now.Before(b.Probe); ok != due {
				t.Fatalf("allowed %v, due %v", ok, due)
			}
			if ok && now.Sub(last) < ProbeEvery {
				t.Fatalf("probes %v apart", now.Sub(last))
			}
			if !ok && now.Sub(last) >= ProbeEvery {
				t.Fatalf("no probe %v after the last", now.Sub(last))
			}
			if b = next; ok {
				last = now
				b = b.Record(now, rapid.SampledFrom([]Outcome{BadConfig, BadCredentials, Unavailable}).Draw(t, "outcome"), "why")
			}
			if !b.Open {
				t.Fatal("closed without a success")
			}
		}
	})
}
