package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"rouse/config"
	"rouse/store"
)

// fleetStore is what one fleet lives in, over all runs.
type fleetStore struct {
	at    *config.Store
	redis *goredis.Client // nil: SQLite
}

// newFleetStore is a file in dir or, with base, a database of a Redis that has
// nothing in it: the one after base's for the first fleet, and so on.
func newFleetStore(ctx context.Context, dir, base string, i int) (*fleetStore, error) {
	if base == "" {
		path := filepath.Join(dir, "rouse.db")
		return &fleetStore{at: &config.Store{URL: config.NewSecret("sqlite:" + path), Path: path, Record: store.MaxReasons}}, nil
	}
	first, err := config.StoreAt(base, "", "")
	if err != nil {
		return nil, err
	}
	if first.Redis == nil || first.Redis.Mode != config.Standalone {
		return nil, usage{text: "bench fleet: --redis names no single Redis", hint: "rouse bench fleet --redis redis://127.0.0.1:6379"}
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + strconv.Itoa(first.Redis.DB+1+i)
	at, err := config.StoreAt(u.String(), "", "")
	if err != nil {
		return nil, err
	}
	o, err := redisOptions(at)
	if err != nil {
		return nil, err
	}
	s := &fleetStore{at: at, redis: goredis.NewClient(&goredis.Options{Addr: o.Addrs[0], DB: o.DB, Username: o.Username, Password: o.Password,
		TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true, MaxRetries: -1})}
	n, err := s.redis.DBSize(ctx).Result()
	if err == nil && n > 0 {
		err = usage{text: fmt.Sprintf("bench fleet: %s has %d keys", at.Name, n), hint: "the databases after the one of --redis have to be empty, one for each size"}
	}
	if err != nil {
		return nil, errors.Join(err, s.redis.Close())
	}
	return s, nil
}

// tally is what Redis counts of itself; nothing of SQLite.
func (s *fleetStore) tally(ctx context.Context) (storeTally, error) {
	if s.redis == nil {
		return storeTally{}, nil
	}
	return (&redisFloor{c: s.redis}).tally(ctx)
}

// remove takes out what the bench put in.
func (s *fleetStore) remove(ctx context.Context) error {
	if s.redis == nil {
		return nil // the directory goes as a whole
	}
	return errors.Join(s.redis.FlushDB(ctx).Err(), s.redis.Close())
}
