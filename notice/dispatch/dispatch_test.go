package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

// stage is an outbox with a clock that is set, and a sender that is told what to do.
type stage struct {
	*outbox.DB
	t *testing.T

	mu    sync.Mutex
	now   time.Time
	ready bool
	fails map[string][]error // by address, the first times
	told  []string
	holds map[string]chan struct{} // addresses that do not answer until it is closed
	most  int
	busy  int
}

func (s *stage) clock() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }
func (s *stage) isReady() bool    { s.mu.Lock(); defer s.mu.Unlock(); return s.ready }

func (s *stage) Send(ctx context.Context, d outbox.Delivery) error {
	s.mu.Lock()
	s.busy++
	s.most = max(s.most, s.busy)
	hold := s.holds[d.Address]
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.busy--; s.mu.Unlock() }()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fails[d.Address]; len(f) > 0 {
		s.fails[d.Address] = f[1:]
		return f[0]
	}
	s.told = append(s.told, d.Address+":"+d.Notice.ID)
	return nil
}

func begin(t *testing.T, file string) *stage {
	t.Helper()
	db, err := outbox.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &stage{DB: db, t: t, now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), ready: true, fails: map[string][]error{}, holds: map[string]chan struct{}{}}
}

// run dispatches until it is stopped.
func (s *stage) run(to ...string) (d *Dispatcher, stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	d = New(Config{Outbox: s, Ways: map[string]Way{notice.Chat: {Sender: s, AtOnce: 3, Ready: s.isReady}}, Now: s.clock, Logger: slog.New(slog.DiscardHandler),
		Listeners: func(context.Context) (notice.Listeners, error) {
			return notice.Listeners{Admins: to, Preferences: func(string) notice.Preferences { return notice.Preferences{} }}, nil
		}})
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *stage) add(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if _, err := s.Add(s.t.Context(), s.clock(), notice.Notice{ID: id, Kind: "test", Text: "Text.", At: s.clock()}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// hears waits until all was told, in any order of the addresses.
func (s *stage) hears(want ...string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		s.mu.Lock()
		got := slices.Clone(s.told)
		s.mu.Unlock()
		slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(strings.Split(a, ":")[0], strings.Split(b, ":")[0]) })
		switch {
		case slices.Equal(got, want):
			return
		case time.Now().After(deadline) || len(got) > len(want):
			s.t.Fatalf("told %q, want %q", got, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *stage) passes(d time.Duration) { s.mu.Lock(); defer s.mu.Unlock(); s.now = s.now.Add(d) }

// TestInOrder: each is told in order, whatever becomes of others; over a restart too.
func TestInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notices.db")
	s := begin(t, file)
	s.ready = false
	s.fails["b"] = []error{errors.New("no answer")}
	s.fails["c"] = []error{fmt.Errorf("%w: no such server", notice.ErrUndeliverable)}
	s.add("1", "2")
	d, stop := s.run("a", "b", "c")
	defer func() { stop() }()
	s.mu.Lock()
	if len(s.told) > 0 {
		t.Errorf("%q were told without a link", s.told)
	}
	s.ready = true
	s.mu.Unlock()
	d.Poke()
	s.hears("a:1", "a:2", "c:2")
	s.passes(first)
	d.Poke()
	s.hears("a:1", "a:2", "b:1", "b:2", "c:2")
	stop()
	s.Close()

	again := begin(t, file)
	again.now = s.now
	again.add("1", "2", "3")
	_, stop = again.run("a", "b", "c")
	again.hears("a:3", "b:3", "c:3")
}

// TestHeldUp: one who does not answer holds up nobody, and not more than AtOnce are
// told at the same time; who was not told when the end came is told later.
func TestHeldUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notices.db")
	s := begin(t, file)
	hold := make(chan struct{})
	s.holds["a"] = hold
	s.add("1", "2", "3")
	_, stop := s.run("a", "b", "c", "d", "e")
	s.hears("b:1", "b:2", "b:3", "c:1", "c:2", "c:3", "d:1", "d:2", "d:3", "e:1", "e:2", "e:3")
	stop()
	if s.most > 3 {
		t.Errorf("%d at the same time", s.most)
	}
	s.mu.Lock()
	s.holds, s.told = map[string]chan struct{}{}, nil
	s.mu.Unlock()
	_, stop = s.run("a")
	defer stop()
	s.hears("a:1", "a:2", "a:3")
}

// TestGivenUp: after a week.
func TestGivenUp(t *testing.T) {
	s := begin(t, filepath.Join(t.TempDir(), "notices.db"))
	for range 30 {
		s.fails["a"] = append(s.fails["a"], errors.New("no answer"))
	}
	s.add("1")
	d, stop := s.run("a")
	defer stop()
	deadline := time.Now().Add(20 * time.Second)
	for {
		list, err := s.Of(t.Context(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 && list[0].State == outbox.Failed {
			if list[0].Tries < 2 || !strings.Contains(list[0].Why, "given up: no answer") {
				t.Errorf("%+v", list[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", list)
		}
		if len(list) == 1 && list[0].Tries > 0 {
			s.passes(24 * time.Hour)
			d.Poke()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 5 * time.Second, 1: 10 * time.Second, 3: 40 * time.Second, 9: 15 * time.Minute, 1000: 15 * time.Minute} {
		if got := backoff(tries); got != want {
			t.Errorf("after %d tries %v, want %v", tries, got, want)
		}
	}
}
