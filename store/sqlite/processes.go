package sqlite

import (
	"context"
	"time"

	"rouse/store"
)

// The file has one process at a time (see lock), so the list is that process, and
// whatever it asks to hold is its own. Nothing of it lies in the file.

// Announce notes how this process is. Nobody else is there to fall silent.
func (s *Store) Announce(ctx context.Context, p store.Process, _ time.Duration) ([]store.Process, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	s.self.Store(&p)
	return nil, nil
}

// Inherited has nothing to do: nobody was told that a process is gone.
func (s *Store) Inherited(ctx context.Context, _ string) error { return s.usable(ctx) }

// Depart takes this process off the list.
func (s *Store) Depart(ctx context.Context, _ string) error {
	s.self.Store(nil)
	return s.usable(ctx)
}

// Processes gives this process, once it was announced.
func (s *Store) Processes(ctx context.Context) ([]store.Process, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if p := s.self.Load(); p != nil {
		return []store.Process{*p}, nil
	}
	return nil, nil
}

// Hold always succeeds.
func (s *Store) Hold(ctx context.Context, _, process string, ttl time.Duration) (store.Lease, error) {
	return store.Lease{Holder: process, Fence: 1, Left: ttl}, s.usable(ctx)
}

func (s *Store) usable(ctx context.Context) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}
