package redis

import (
	"errors"
	"math"
	"testing"
	"time"

	"rouse/servers/lab"
)

// watched is a Redis, a replica of it, and three Sentinels.
type watched struct {
	pair [2]*server
	*lab.Sentinels
}

func startSentinels(t *testing.T, change ...func(*lab.RedisOptions)) *watched {
	t.Helper()
	w := &watched{}
	w.pair[0] = start(t, change...)
	w.pair[1] = start(t, append(change, func(o *lab.RedisOptions) { o.ReplicaOf = w.pair[0].Redis })...)
	var err error
	if w.Sentinels, err = lab.StartSentinels(t.Context(), w.pair[0].Redis, 3, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func (w *watched) open(t *testing.T, change ...func(*Options)) *Store {
	t.Helper()
	return openAt(t, Options{Addrs: w.Addrs(), Mode: Sentinel, MasterName: "rouse"}, change...)
}

// masters gives the master and the other one.
func (w *watched) masters(t *testing.T) (master, other *server) {
	t.Helper()
	addr, err := w.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if addr == w.pair[0].Addr() {
		return w.pair[0], w.pair[1]
	}
	return w.pair[1], w.pair[0]
}

// killMaster ends the master as a power cut does, after the link to its replica broke;
// waits until that one has taken over, and starts the old one as its replica. It gives
// when it was killed.
func (w *watched) killMaster(t *testing.T) (at time.Time) {
	t.Helper()
	master, other := w.masters(t)
	if err := errors.Join(other.Pause(), master.client.ClientKillByFilter(t.Context(), "TYPE", "replica").Err()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(apart)
	at = time.Now()
	if err := errors.Join(master.Kill(), other.Resume()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AwaitOther(t.Context(), master.Addr()); err != nil {
		t.Fatal(err)
	}
	if err := master.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the old master follows the new one", func() bool {
		info, err := look(t.Context(), other.client)
		return err == nil && info.role == "master" && info.replicas == 1
	})
	return at
}

// apart is for how long a replica gets nothing before its master is killed.
const apart = 300 * time.Millisecond

// atMostTheLastSecond wants decisions that are lost to have been told right before a
// master was killed.
func atMostTheLastSecond(t *testing.T, lost, killed []time.Time) {
	t.Helper()
	var oldest time.Duration
	for _, told := range lost {
		before := time.Duration(math.MaxInt64)
		for _, at := range killed {
			if d := at.Sub(told); d > -100*time.Millisecond { // Kill takes a moment
				before = min(before, d)
			}
		}
		oldest = max(oldest, before)
	}
	if oldest > time.Second {
		t.Errorf("a decision is lost that was told %v before the master was killed", oldest)
	}
	t.Logf("%d lost, the oldest told %v before a master was killed", len(lost), oldest.Round(time.Millisecond))
}

const failovers = 3

// What an answer says is there after any failover: with Safe all of it, with Fast all
// but the last second. More of it: go test -run Failovers -count 20.
func TestFailovers(t *testing.T) {
	w := startSentinels(t)
	for _, durability := range []Durability{Safe, Fast} {
		t.Run(string(durability), func(t *testing.T) {
			var told setbacks
			s := w.open(t, told.listen, func(o *Options) { o.Durability = durability })
			load := begin(s, users(16)...)
			var killed []time.Time
			for n := range failovers {
				load.more(t, 500)
				killed = append(killed, w.killMaster(t))
				until(t, "the setback is told", func() bool { return len(told.list()) > n })
			}
			load.more(t, 100)
			lost := load.end(t)
			if durability == Safe && len(lost) > 0 {
				t.Errorf("%d decisions lost", len(lost))
			}
			if durability == Fast && len(lost) == 0 {
				t.Error("nothing is lost: did the replica get all?")
			}
			atMostTheLastSecond(t, lost, killed)
			if err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("told: %q", told.list())
		})
	}
}

// A failover that an administrator asks for.
func TestFailoverByHand(t *testing.T) {
	w := startSentinels(t)
	var told setbacks
	s := w.open(t, told.listen)
	load := begin(s, users(8)...)
	load.more(t, 100)
	if err := w.Failover(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the setback is told", func() bool { return len(told.list()) > 0 })
	load.more(t, 100)
	if lost := load.end(t); len(lost) > 0 {
		t.Errorf("%d decisions lost", len(lost))
	}
}

// Whoever has just begun did not see the replica that was here a moment ago, and is
// being made master now. The master remembers that there was one.
func TestReplicaWentBeforeWeCame(t *testing.T) {
	w := startSentinels(t)
	master, other := w.masters(t)
	if err := other.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "the master misses its replica", func() bool {
		info, err := look(t.Context(), master.client)
		return err == nil && info.replicas == 0
	})
	began := time.Now()
	load := begin(w.open(t), users(1)...)
	load.more(t, 1)
	if took := time.Since(began); took < replicaGrace {
		t.Errorf("answered after %v on the word of the master alone", took)
	}
	if lost := load.end(t); len(lost) > 0 {
		t.Errorf("%d decisions lost", len(lost))
	}
}

// A Redis that is killed and started again has all that it said it has: what comes
// before an answer has been written to the file, and the machine goes on. Only a power
// cut takes what was not flushed.
func TestKilledAndStarted(t *testing.T) {
	for durability, persist := range map[Durability]string{Safe: "always", Fast: "everysec"} {
		t.Run(string(durability), func(t *testing.T) {
			server := start(t, func(o *lab.RedisOptions) { o.Persist = persist })
			var told setbacks
			s := server.open(t, told.listen, func(o *Options) { o.Durability = durability })
			load := begin(s, users(16)...)
			var killed []time.Time
			for n := range failovers {
				load.more(t, 500)
				killed = append(killed, time.Now())
				if err := server.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := server.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				until(t, "the setback is told", func() bool { return len(told.list()) > n })
			}
			load.more(t, 100)
			lost := load.end(t)
			if durability == Safe && len(lost) > 0 {
				t.Errorf("%d decisions lost", len(lost))
			}
			atMostTheLastSecond(t, lost, killed)
			if err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
