package component

import "time"

const (
	firstRetry = time.Second
	maxRetry   = 30 * time.Second
	// A link that was up for so long ended for a new reason: begin anew.
	stableAfter = 10 * time.Second
)

// Backoff returns how long to wait before the attempt-th try in a row to
// connect again, counted from 0. r in [0,1) spreads the tries of many: the
// result lies between a half and the whole of 1 s doubled each time, at most
// 30 s.
func Backoff(attempt int, r float64) time.Duration {
	d := maxRetry
	if attempt < 5 {
		d = min(firstRetry<<max(attempt, 0), maxRetry)
	}
	return d/2 + time.Duration(r*float64(d/2))
}
