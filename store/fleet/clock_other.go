//go:build !linux

package fleet

import "time"

// NewClock gives a clock that goes on while the process is stopped, and that
// nobody sets.
func NewClock() func() time.Duration {
	started := time.Now()
	return func() time.Duration { return time.Since(started) }
}
