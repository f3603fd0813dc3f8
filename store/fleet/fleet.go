package fleet

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rouse/store"
)

// The pace of a fleet. A holder that dies is followed within ttl, and its wakes
// are due again within silence and a beat.
const (
	beat    = time.Second
	ttl     = 3 * time.Second // of the lease
	silence = 5 * time.Second // of a process, after which it is gone
	lease   = "link"
)

// Store is what a member needs of its store.
type Store interface {
	store.Processes
	EndLeases(ctx context.Context, process string) error
}

// Config is what a Member needs. All fields are required; Duty only by Stand.
type Config struct {
	ID     string // of this process, new at each start
	Store  Store
	Self   func() store.Process // how this process is now; ID, Holds and Said are filled in
	Clock  func() time.Duration // see NewClock; what a lease is measured with
	Now    func() time.Time     // for people to read
	Logger *slog.Logger

	// Duty does what one process at a time may do. It returns soon after ctx ends,
	// having finished what it does, and at once when lost ends. An error ends Stand.
	Duty func(ctx, lost context.Context) error
}

// Member is described at the package. Safe for concurrent use.
type Member struct {
	cfg   Config
	until atomic.Int64  // of Clock: how long the lease is believed in
	began chan struct{} // of room for one: there is a new tenure
	again chan struct{} // of room for one: announce at once

	mu      sync.Mutex
	tenure  *tenure // nil: the lease is not ours
	holder  string  // whose the store said the lease is
	list    []store.Process
	holding error // what the last try to hold came to
	telling error // the same for the last announcement
}

// tenure is one uninterrupted time of holding the lease.
type tenure struct {
	since time.Time
	lost  context.Context
	end   context.CancelFunc
	timer *time.Timer // goes off when it may have run out
}

// New makes a member. It does nothing yet.
func New(cfg Config) *Member {
	return &Member{cfg: cfg, began: make(chan struct{}, 1), again: make(chan struct{}, 1)}
}

// Holds reports whether this process may do the duty now. It asks nobody.
func (m *Member) Holds() bool { return m.cfg.Clock() < time.Duration(m.until.Load()) }

// State is what a member knows of its fleet.
type State struct {
	Holder    store.Process   // who holds the lease; without ID: nobody is known to, with nothing but ID: a stranger
	Processes []store.Process // as of the last beat, the oldest first
	Err       error           // why the store could not be asked, the last time
}

// State gives what the last beats found. It asks nobody.
func (m *Member) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := State{Processes: slices.Clone(m.list), Err: m.holding}
	if s.Err == nil {
		s.Err = m.telling
	}
	s.Holder.ID = m.holder
	if i := slices.IndexFunc(m.list, func(p store.Process) bool { return p.ID == m.holder }); i >= 0 {
		s.Holder = m.list[i]
	}
	return s
}

// poke has whoever reads c do so soon.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause ends after d, with ctx, or when c says so.
func pause(ctx context.Context, d time.Duration, c <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c:
	case <-ctx.Done():
	}
}
