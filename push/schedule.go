package push

import (
	"math"
	"time"

	"rouse/session"
)

// The limits of Next.
const (
	MaxDelay      = 10 * time.Minute // between tries, unless the provider wishes otherwise
	MaxRetryAfter = time.Hour        // of a wish that is longer we believe this much
	QuietDelay    = time.Minute      // the least after RateLimited; FCM asks for that much
)

// Expiry says until when a wake is of use that was first decided at since.
func Expiry(c session.Class, since time.Time) time.Time {
	return since.Add(c.Importance().Life)
}

// Next says how long to wait after a failed try. The attempt is the number of
// tries so far, from 1; r is random in [0,1) and spreads what failed together.
//
// A wish of the provider is kept, with up to a tenth on top. Without one the
// delay doubles up to MaxDelay, less up to a quarter; calls are tried again
// fast, since they are of no use later.
func Next(c session.Class, attempt int, o Outcome, retryAfter time.Duration, r float64) time.Duration {
	if retryAfter > 0 {
		d := min(retryAfter, MaxRetryAfter)
		return d + time.Duration(r*float64(d)/10)
	}
	d := backoff(c, max(attempt, 1), o)
	return d - time.Duration(r*float64(d)/4)
}

func backoff(c session.Class, attempt int, o Outcome) time.Duration {
	if c.Rings() {
		steps := [...]time.Duration{300 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}
		if o == RateLimited {
			attempt += 2 // gently, but still while it rings
		}
		return steps[min(attempt, len(steps))-1]
	}
	first := time.Second
	if o == RateLimited {
		first = QuietDelay * 4 / 3 // less a quarter is still QuietDelay
	}
	d := float64(first) * math.Pow(2, float64(min(attempt-1, 32)))
	return time.Duration(min(d, float64(MaxDelay)))
}
