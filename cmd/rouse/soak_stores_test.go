package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"rouse/servers/lab"
	"rouse/store"
	"rouse/store/redis"
	"rouse/store/sqlite"
)

// soakStore is what the processes of a soak keep their state in, and what can be
// done to it.
type soakStore interface {
	processes() int
	url(process int) string // what store.url says
	hands(f *soakFaults) []hand
	open(ctx context.Context) (store.Store, error) // to be verified, when nobody else works on it
	close() error
}

// soakStores are those that a soak can run on.
var soakStores = map[string]func(ctx context.Context, dir string) (soakStore, error){
	"sqlite":   func(_ context.Context, dir string) (soakStore, error) { return soakSQLite(dir), nil },
	"redis":    newSoakRedis,
	"sentinel": newSoakSentinel,
}

// soakSQLite is one file in a directory, which one process has.
type soakSQLite string

func (soakSQLite) processes() int { return 1 }
func (soakSQLite) url(int) string { return "sqlite:rouse.db" }
func (soakSQLite) close() error   { return nil }

func (d soakSQLite) open(ctx context.Context) (store.Store, error) {
	return sqlite.Open(ctx, filepath.Join(string(d), "rouse.db"), sqlite.Options{})
}

func (soakSQLite) hands(f *soakFaults) []hand {
	return []hand{{every: 4 * time.Second, kinds: []misdeed{{"disk-full", f.fill(f.stage.rouses[0])}}}}
}

// soakRedis is a Redis that each process has a wire of its own to.
type soakRedis struct {
	server *lab.Redis
	wires  []*wire
}

func newSoakRedis(ctx context.Context, dir string) (soakStore, error) {
	s := &soakRedis{}
	var err error
	if s.server, err = lab.StartRedis(ctx, lab.RedisOptions{Dir: filepath.Join(dir, "redis"), Persist: "always"}); err != nil {
		return nil, err
	}
	for range s.processes() {
		w, err := newWire(s.server.Addr())
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.wires = append(s.wires, w)
	}
	return s, nil
}

func (*soakRedis) processes() int     { return 3 }
func (s *soakRedis) url(i int) string { return "redis://" + s.wires[i].address() + "/0" }

func (s *soakRedis) open(ctx context.Context) (store.Store, error) {
	return redis.Open(ctx, redis.Options{Addrs: []string{s.server.Addr()}, Mode: redis.Standalone})
}

func (s *soakRedis) close() error {
	for _, w := range s.wires {
		w.close()
	}
	return s.server.Close()
}

func (s *soakRedis) hands(f *soakFaults) []hand {
	all := []hand{{every: 2 * time.Second, kinds: []misdeed{
		{"redis-restart", whole(func(ctx context.Context, _ *rand.Rand) error {
			return errors.Join(s.server.Stop(ctx), started(ctx, s.server.Start))
		})},
		{"redis-kill", whole(func(ctx context.Context, rng *rand.Rand) error {
			if err := s.server.Kill(); err != nil {
				return err
			}
			sleep(ctx, between(rng, 0, 3*time.Second))
			return started(ctx, s.server.Start)
		})},
		{"redis-stop", whole(func(ctx context.Context, rng *rand.Rand) error {
			if err := s.server.Pause(); err != nil {
				return err
			}
			sleep(ctx, between(rng, 50*time.Millisecond, 4*time.Second))
			return s.server.Resume()
		})},
	}}}
	for _, w := range s.wires {
		all = append(all, hand{every: 4 * time.Second, kinds: f.onWire("redis", 4*time.Second, w)})
	}
	return all
}

// whole is for what must not be left half done when the time is over.
func whole(do func(context.Context, *rand.Rand) error) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soakPatience)
		defer cancel()
		return do(ctx, rng)
	}
}

// soakSentinel is a master and a replica, and three Sentinels that watch them.
type soakSentinel struct {
	servers   []*lab.Redis
	sentinels *lab.Sentinels
}

func newSoakSentinel(ctx context.Context, dir string) (soakStore, error) {
	s := &soakSentinel{}
	for _, name := range []string{"redis-a", "redis-b"} {
		o := lab.RedisOptions{Dir: filepath.Join(dir, name), Persist: "always"}
		if len(s.servers) > 0 {
			o.ReplicaOf = s.servers[0]
		}
		r, err := lab.StartRedis(ctx, o)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.servers = append(s.servers, r)
	}
	var err error
	if s.sentinels, err = lab.StartSentinels(ctx, s.servers[0], 3, dir); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (*soakSentinel) processes() int   { return 2 }
func (s *soakSentinel) url(int) string { return s.sentinels.URL() }

func (s *soakSentinel) open(ctx context.Context) (store.Store, error) {
	master, err := s.sentinels.Master(ctx)
	if err != nil {
		return nil, err
	}
	return redis.Open(ctx, redis.Options{Addrs: []string{master}, Mode: redis.Standalone})
}

func (s *soakSentinel) close() error {
	var errs []error
	if s.sentinels != nil {
		errs = append(errs, s.sentinels.Close())
	}
	for _, r := range s.servers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func (s *soakSentinel) hands(*soakFaults) []hand {
	failover := misdeed{"redis-failover", s.on(func(ctx context.Context, _ *rand.Rand, _ *lab.Redis) error { return s.sentinels.Failover(ctx) })}
	return []hand{{every: 1500 * time.Millisecond, kinds: []misdeed{failover, failover, failover,
		{"redis-kill", s.on(func(ctx context.Context, rng *rand.Rand, master *lab.Redis) error {
			if err := master.Kill(); err != nil {
				return err
			}
			_, late := s.sentinels.AwaitOther(ctx, master.Addr())
			sleep(ctx, between(rng, 0, 2*time.Second))
			if err := started(ctx, master.Start); err != nil {
				return err
			}
			return late
		})},
		{"redis-stop", s.on(func(ctx context.Context, rng *rand.Rand, master *lab.Redis) error {
			if err := master.Pause(); err != nil {
				return err
			}
			sleep(ctx, between(rng, 50*time.Millisecond, 4*time.Second))
			return master.Resume()
		})},
	}}}
}

// on does something to the master, when there is one that the other follows: one
// fault at a time is what two servers can stand. What the Sentinels do not manage
// in time, or say that they cannot do now, is no fault of ours.
func (s *soakSentinel) on(do func(ctx context.Context, rng *rand.Rand, master *lab.Redis) error) func(context.Context, *rand.Rand) error {
	return whole(func(ctx context.Context, rng *rand.Rand) error {
		if err := s.settled(ctx); err != nil {
			return err
		}
		master, err := s.master(ctx)
		if err == nil {
			err = do(ctx, rng, master)
		}
		if settled := s.settled(ctx); settled != nil {
			return errors.Join(err, settled)
		}
		return nil
	})
}

func (s *soakSentinel) master(ctx context.Context) (*lab.Redis, error) {
	addr, err := s.sentinels.Master(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range s.servers {
		if r.Addr() == addr {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the Sentinels speak of %s, which is none of ours", addr)
}

// settled waits until there is one master and the other follows it.
func (s *soakSentinel) settled(ctx context.Context) error {
	for {
		err := s.follows(ctx)
		if err == nil {
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("the replica does not follow: %w", err)
		}
	}
}

func (s *soakSentinel) follows(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	master, err := s.master(ctx)
	if err != nil {
		return err
	}
	for _, r := range s.servers {
		info, err := r.Info(ctx, "replication")
		if err != nil {
			return err
		}
		if r == master && (info["role"] != "master" || info["connected_slaves"] != "1") || r != master && info["master_link_status"] != "up" {
			return fmt.Errorf("%s is %s with %s replicas and its link %q", r.Addr(), info["role"], info["connected_slaves"], info["master_link_status"])
		}
	}
	return nil
}
