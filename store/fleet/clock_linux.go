package fleet

import (
	"time"

	"golang.org/x/sys/unix"
)

// NewClock gives a clock that goes on while the process is stopped and while the
// machine sleeps, and that nobody sets (clock_gettime(2), CLOCK_BOOTTIME). Go's
// own stands still in suspend, and would take an old lease for a fresh one.
func NewClock() func() time.Duration {
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
			panic("no CLOCK_BOOTTIME, which Linux has had since 2.6.39: " + err.Error())
		}
		return time.Duration(t.Nano())
	}
}
