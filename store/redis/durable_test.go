package redis

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

// From Redis 7.2 on each round trip that writes ends with one WAITAOF for all of it.
func TestWaitsForTheDisk(t *testing.T) {
	server := start(t)
	redis := standIn(t, server.Addr())
	s := openAt(t, Options{Addrs: []string{redis.l.Addr().String()}})
	was, sent := len(redis.heard()), s.Stats()
	inFlight(t, s, 16, 20)
	asked, now := redis.heard()[was:], s.Stats()
	trips := int(now.RoundTrips - sent.RoundTrips)
	if len(asked) == 0 || len(asked) > trips {
		t.Errorf("asked %d times in %d round trips", len(asked), trips)
	}
	for _, a := range asked {
		if a != "WAITAOF 1 0 2000" || redis.before[a] != "EVALSHA" {
			t.Fatalf("asked %q, after %s", a, redis.before[a])
		}
	}
	if _, err := s.Load(t.Context(), juliet); err != nil {
		t.Fatal(err)
	}
	if again := len(redis.heard()) - was; again != len(asked) {
		t.Errorf("asked %d times for a read", again-len(asked))
	}
}

func TestFastDoesNotWait(t *testing.T) {
	server := start(t)
	redis := standIn(t, server.Addr())
	s := openAt(t, Options{Addrs: []string{redis.l.Addr().String()}, Durability: Fast})
	inFlight(t, s, 4, 4)
	if asked := redis.heard(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// A replica that follows has to have it on its disk too.
func TestWaitsForTheReplicasDisk(t *testing.T) {
	server := start(t)
	start(t, func(o *lab.RedisOptions) { o.ReplicaOf = server.Redis })
	redis := standIn(t, server.Addr())
	redis.confirm = func(int) string { return disks(1, 1) }
	s := openAt(t, Options{Addrs: []string{redis.l.Addr().String()}})
	inFlight(t, s, 1, 1)
	if asked := redis.heard(); !slices.Contains(asked, "WAITAOF 1 1 2000") || slices.Contains(asked, "WAITAOF 1 0 2000") {
		t.Errorf("asked %q", asked)
	}
}

// What no disk confirmed is asked for again, and done once.
func TestDiskThatIsSlow(t *testing.T) {
	server := start(t)
	redis := standIn(t, server.Addr())
	s := openAt(t, Options{Addrs: []string{redis.l.Addr().String()}})
	was := len(redis.heard())
	redis.mu.Lock()
	redis.confirm = func(n int) string {
		if n <= was+2 {
			return disks(0, 0)
		}
		return disks(1, 0)
	}
	redis.mu.Unlock()
	v, err := s.Commit(t.Context(), typical(juliet, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(redis.heard()) - was; got != 3 {
		t.Errorf("asked %d times, want 3", got)
	}
	if o, err := s.Load(t.Context(), juliet); err != nil || o.Version != v {
		t.Errorf("version %d is stored, %d was given: %v", o.Version, v, err)
	}
	if r, err := s.Reasons(t.Context(), juliet, time.Time{}); err != nil || len(r) != 1 {
		t.Errorf("reasons %+v, %v", r, err)
	}
}

// A disk that never confirms is an error that says what to look at, and not a promise.
func TestDiskThatIsNone(t *testing.T) {
	server := start(t, inMemory)
	redis := standIn(t, server.Addr())
	redis.confirm = func(int) string {
		return "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"
	}
	_, err := Open(t.Context(), Options{Addrs: []string{redis.l.Addr().String()}})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Remedy, "appendonly yes") {
		t.Errorf("Open: %v", err)
	}
}

// Before Redis 7.2 a replica confirms that it has it. One that hangs makes callers wait.
func TestWaitsForTheReplica(t *testing.T) {
	server := start(t)
	replica := start(t, func(o *lab.RedisOptions) { o.ReplicaOf = server.Redis })
	s := server.open(t)
	inFlight(t, s, 1, 1)
	before := server.served(t).commands
	inFlight(t, s, 1, 10)
	if n := server.served(t).commands - before; n != 10 {
		t.Errorf("%d WAIT for 10 decisions", n)
	}
	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(contextFor(t, 500*time.Millisecond), typical(juliet, 1)); err == nil {
		t.Error("Commit: no error, while no replica has it")
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Commit(t.Context(), typical("romeo@example.org", 1))
		done <- err
	}()
	until(t, "it is on the master", func() bool {
		o, err := s.Load(t.Context(), "romeo@example.org")
		return err == nil && o.Version != 0
	})
	select {
	case err := <-done:
		t.Errorf("Commit: %v, while no replica has it", err)
	default:
	}
	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A replica that is gone has to confirm for a while: it may be the next master. Then
// its master goes on alone.
func TestReplicaThatIsGone(t *testing.T) {
	server := start(t)
	replica := start(t, func(o *lab.RedisOptions) { o.ReplicaOf = server.Redis })
	s := server.open(t)
	inFlight(t, s, 1, 1)
	until(t, "decisions wait for the replica", func() bool { // it has its first copy, and the store has seen it
		before := server.served(t).commands
		inFlight(t, s, 1, 1)
		return server.served(t).commands > before
	})
	if err := replica.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(contextFor(t, replicaGrace/5), typical(juliet, 1)); err == nil {
		t.Error("Commit: no error, right after the replica went")
	}
	if _, err := s.Commit(t.Context(), typical("romeo@example.org", 1)); err != nil {
		t.Errorf("Commit: %v, long after the replica went", err)
	}
}
