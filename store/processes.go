package store

import (
	"context"
	"time"
)

// Process is one rouse that works on a store.
type Process struct {
	ID      string            `json:"id"` // new at each start
	Machine string            `json:"machine"`
	PID     int               `json:"pid"`
	Version string            `json:"version"`
	Started time.Time         `json:"started"`
	Link    string            `json:"link"`              // how its component link is, in a few words
	Holds   time.Time         `json:"holds,omitzero"`    // since when it is the one that may have the link; zero: it is not
	Said    time.Time         `json:"said"`              // when it said all this, by its own clock
	Stopped map[string]string `json:"stopped,omitempty"` // apps whose breaker is open, with the provider's reason
}

// Lease is the right to do what one process at a time may do.
type Lease struct {
	Holder string        // Process.ID
	Fence  uint64        // greater for each new holder
	Left   time.Duration // until it ends, unless it is renewed
}

// Processes lets several processes share a store. Silence and leases are measured
// by the store's clock.
type Processes interface {
	// Announce says that a process lives, and how it is. Processes that said nothing
	// for longer than silence are taken off the list, and each is told to one caller;
	// to another one after six times as long, and so on, until it is Inherited: whoever
	// was told first may be gone as well.
	Announce(ctx context.Context, p Process, silence time.Duration) (gone []Process, err error)

	// Inherited says that all was done for a process that is gone. It keeps its
	// leases: it may only have been slow.
	Inherited(ctx context.Context, id string) error

	// Depart takes a process off the list, and lets go of its leases.
	Depart(ctx context.Context, id string) error

	// Processes gives the list, the oldest first.
	Processes(ctx context.Context) ([]Process, error)

	// Hold gives the lease of a name to a process for the time ttl, or renews it, if
	// no other process has it. It gives the lease as it stands; Holder says whose.
	Hold(ctx context.Context, name, process string, ttl time.Duration) (Lease, error)
}
