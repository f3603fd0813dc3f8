package component_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rouse/component"
)

func TestBackoff(t *testing.T) {
	for attempt, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		want *= time.Second
		if lo, hi := component.Backoff(attempt, 0), component.Backoff(attempt, 1); lo != want/2 || hi != want {
			t.Errorf("attempt %d: between %v and %v, want %v and %v", attempt, lo, hi, want/2, want)
		}
	}
}

func TestBackoffStaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.Int().Draw(t, "attempt")
		r := rapid.Float64Range(0, 1).Draw(t, "r")
		if d := component.Backoff(attempt, r); d < time.Second/2 || d > 30*time.Second {
			t.Fatalf("Backoff(%d, %v) = %v", attempt, r, d)
		}
	})
}
