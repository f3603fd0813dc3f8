package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"rouse/store"
)

// halted is a store whose writer is held up until proceed is called; what comes
// meanwhile waits in the queue.
func halted(t *testing.T, o Options) (s *Store, proceed func()) {
	s = openAt(t, filepath.Join(t.TempDir(), "rouse.db"), o)
	started, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.write(context.Background(), func(*tx) error {
			close(started)
			<-release
			return nil
		})
	}()
	<-started
	return s, func() {
		t.Helper()
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waiting returns once so many decisions wait for the writer.
func waiting(s *Store, n int) {
	for len(s.queue) < n {
		runtime.Gosched()
	}
}

// later commits in the background.
func later(s *Store, key string) chan error {
	done := make(chan error, 1)
	go func() {
		_, err := s.Commit(context.Background(), typical(key, 1))
		done <- err
	}()
	return done
}

// A decision that fails after it wrote takes nothing of its neighbours with it.
func TestOneFailsAlone(t *testing.T) {
	s, proceed := halted(t, Options{})
	before := later(s, "before@example.org")
	waiting(s, 1)
	broken := errors.New("broken")
	failing := make(chan error, 1)
	go func() {
		failing <- s.write(context.Background(), func(tx *tx) error {
			d, err := encode(typical("failed@example.org", 1))
			return errors.Join(err, d.commit(tx), broken)
		})
	}()
	waiting(s, 2)
	after := later(s, "after@example.org")
	waiting(s, 3)
	proceed()
	if err := <-failing; !errors.Is(err, broken) {
		t.Errorf("the one that fails: %v", err)
	}
	if err := errors.Join(<-before, <-after); err != nil {
		t.Errorf("its neighbours: %v", err)
	}
	if got := s.Stats(); got != (Stats{Decisions: 4, Commits: 1}) {
		t.Errorf("%+v, want all in one commit", got)
	}
	for key, n := range map[string]uint64{"before@example.org": 1, "failed@example.org": 0, "after@example.org": 1} {
		if o, err := s.Load(t.Context(), key); err != nil || o.Account.Serial != n || len(o.Account.Pending) != int(n) {
			t.Errorf("%s: %+v, %v", key, o, err)
		}
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// Nobody has to wait longer than its context lasts, neither for the disk nor for
// a place in the queue.
func TestGivenUp(t *testing.T) {
	s, proceed := halted(t, Options{Queue: 1})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := s.Commit(ctx, typical("first@example.org", 1))
		first <- err
	}()
	waiting(s, 1)
	second := make(chan error)
	go func() {
		_, err := s.Commit(ctx, typical("second@example.org", 1))
		second <- err
	}()
	cancel()
	for range 2 {
		select {
		case err := <-first:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("waiting for the disk: %v", err)
			}
		case err := <-second:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("waiting for the queue: %v", err)
			}
		}
	}
	proceed()
	if _, err := s.Commit(t.Context(), typical("third@example.org", 1)); err != nil {
		t.Error(err)
	}
	// The writer came to the first when its caller had gone.
	if o, err := s.Load(t.Context(), "first@example.org"); err != nil || o.Version != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestCloseWaits(t *testing.T) {
	s, proceed := halted(t, Options{})
	queued := later(s, "queued@example.org")
	waiting(s, 1)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for shut := false; !shut; runtime.Gosched() {
		s.gate.RLock()
		shut = s.closed
		s.gate.RUnlock()
	}
	if _, err := s.Commit(t.Context(), typical("late@example.org", 1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	proceed()
	if err := errors.Join(<-queued, <-closed); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, s.path, Options{})
	if err := whole(t.Context(), again, "queued@example.org", 1); err != nil {
		t.Error(err)
	}
}
