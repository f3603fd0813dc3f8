package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"time"
)

// rouseClock names a file with the nanoseconds by which a rouse that tests start
// is ahead of the time. No program outside can set Go's clock: it asks the kernel
// without a call.
const rouseClock = "ROUSE_TEST_CLOCK"

// clockIn gives the clock whose error stands in a file; without one, the right time.
func clockIn(file string) func() time.Time {
	if file == "" {
		return time.Now
	}
	f, err := os.Open(file)
	return func() time.Time {
		var ahead [8]byte
		if err == nil {
			f.ReadAt(ahead[:], 0) // zero, while nothing stands there
		}
		// Without the monotonic part, or two times would know how far they are apart.
		return time.Now().Round(0).Add(time.Duration(binary.LittleEndian.Uint64(ahead[:])))
	}
}

// set has the clock of a process be ahead of the time.
func (r *soakRouse) set(ahead time.Duration) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(ahead))
	f, err := os.OpenFile(r.clock(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	r.ahead = ahead
	_, err = f.WriteAt(b[:], 0)
	return err
}

func (r *soakRouse) clock() string { return r.config + ".clock" }

// jump sets the clock to another time, no further off than a call rings. What is
// due at a time of before waits until the clock has come there again.
func (f *soakFaults) jump(r *soakRouse) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		ahead := between(rng, -8*time.Second, 8*time.Second)
		late := r.ahead - ahead
		if err := r.set(ahead); err != nil {
			return err
		}
		sleep(ctx, late)
		return nil
	}
}
