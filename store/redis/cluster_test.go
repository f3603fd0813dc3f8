package redis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/session"
	"rouse/store"
	"rouse/store/storetest"
)

type testCluster struct{ *lab.RedisCluster }

func startCluster(t *testing.T, masters, replicasEach int, o lab.RedisOptions) testCluster {
	t.Helper()
	o.Dir = t.TempDir()
	c, err := lab.StartRedisCluster(t.Context(), masters, replicasEach, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return testCluster{c}
}

func (c testCluster) open(t *testing.T, change ...func(*Options)) *Store {
	t.Helper()
	return openAt(t, Options{Addrs: c.Addrs(), Mode: Cluster, Durability: Fast}, change...)
}

func (c testCluster) empty(t *testing.T, change ...func(*Options)) *Store {
	t.Helper()
	for _, n := range c.Nodes() {
		if _, err := n.Do(t.Context(), "FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
	return c.open(t, change...)
}

// errors counts what the nodes have answered with a word.
func (c testCluster) errors(t *testing.T, word string) (n int) {
	t.Helper()
	for _, node := range c.Nodes() {
		stats, err := node.Info(t.Context(), "errorstats")
		if err != nil {
			t.Fatal(err)
		}
		count, _ := strconv.Atoi(strings.TrimPrefix(stats["errorstat_"+word], "count="))
		n += count
	}
	return n
}

func TestCluster(t *testing.T) {
	c := startCluster(t, 3, 0, lab.RedisOptions{})
	t.Run("Store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return c.empty(t) }, nil)
	})
	t.Run("Shared", func(t *testing.T) {
		storetest.RunShared(t, func(t *testing.T) (first, second store.Store) {
			return c.empty(t, process(storetest.First)), c.open(t, process(storetest.Second))
		})
	})
	t.Run("OneRoundTrip", func(t *testing.T) {
		s := c.empty(t)
		inFlight(t, s, 1, 1)
		sent := s.Stats()
		inFlight(t, s, 1, 100)
		if now := s.Stats(); now.RoundTrips-sent.RoundTrips != 101 || now.Commands-sent.Commands != 101 { // and one Load
			t.Errorf("%d round trips with %d commands for 100 decisions and a load", now.RoundTrips-sent.RoundTrips, now.Commands-sent.Commands)
		}
	})
	t.Run("Slots", func(t *testing.T) { slotsMove(t, c) })
}

// slotsMove takes slots from one master to another while decisions are made about
// owners in them. Callers notice nothing but a delay.
func slotsMove(t *testing.T, c testCluster) {
	s := c.empty(t)
	keys := users(24)
	w := begin(s, keys...)
	w.more(t, 100)
	reading := make(chan struct{})
	stop := make(chan struct{})
	go func() { // reads of one key follow an ASK, where scripts have to wait
		defer close(reading)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Reasons(t.Context(), keys[n%len(keys)], noon); err != nil {
				t.Errorf("Reasons: %v", err)
			}
			if _, err := s.Claim(t.Context(), noon, 1, 4); err != nil {
				t.Errorf("Claim: %v", err)
			}
		}
	}()
	for _, k := range keys[:8] {
		slotMoves(t, c, w, slot(strconv.Itoa(store.Shard(k))))
	}
	w.more(t, 100)
	close(stop)
	<-reading
	if lost := w.end(t); len(lost) > 0 || w.failed.Load() > 0 {
		t.Errorf("%d decisions lost, %d failed", len(lost), w.failed.Load())
	}
	met := make(map[string]int)
	for _, word := range []string{"MOVED", "ASK", "TRYAGAIN"} {
		if met[word] = c.errors(t, word); met[word] == 0 {
			t.Errorf("no node answered %s", word)
		}
	}
	t.Logf("the nodes answered: %v", met)
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := s.Counts(t.Context()); err != nil || n.Endpoints != len(keys) || n.Sessions[session.Hibernated] != len(keys) {
		t.Errorf("counts %+v, %v", n, err)
	}
}

func slotMoves(t *testing.T, c testCluster, w *work, slot int) {
	t.Helper()
	from, err := c.Owner(t.Context(), slot)
	if err != nil {
		t.Fatal(err)
	}
	to := c.Nodes()[0]
	if to == from {
		to = c.Nodes()[1]
	}
	asked, again := c.errors(t, "ASK"), c.errors(t, "TRYAGAIN")
	m, err := c.MigrateSlot(t.Context(), slot, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Keys(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	until(t, fmt.Sprintf("callers meet slot %d on its way", slot), func() bool {
		return c.errors(t, "ASK")+c.errors(t, "TRYAGAIN") > asked+again
	})
	w.more(t, 20) // the other slots are served
	if err := m.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A master that is killed is followed by its replica; Safe loses nothing.
func TestClusterMasterKilled(t *testing.T) {
	c := startCluster(t, 3, 1, lab.RedisOptions{Persist: "always"})
	var told setbacks
	s := c.open(t, func(o *Options) { o.Durability = Safe }, told.listen)
	keys := users(24)
	w := begin(s, keys...)
	w.more(t, 200)
	slot := slot(strconv.Itoa(store.Shard(keys[0])))
	master, err := c.Owner(t.Context(), slot)
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "its replica takes over", func() bool {
		now, err := c.Owner(t.Context(), slot)
		return err == nil && now != master
	})
	until(t, "the setback is told", func() bool { return len(told.list()) > 0 })
	w.more(t, 500)
	if lost := w.end(t); len(lost) > 0 {
		t.Errorf("%d decisions lost", len(lost))
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("told: %q", told.list())
}
