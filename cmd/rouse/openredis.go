package main

import (
	"context"
	"crypto/tls"
	"log/slog"

	"rouse/config"
	"rouse/push/h2"
	"rouse/store"
	"rouse/store/redis"
)

// storeUser is who opens a store. The zero value is a command beside the processes
// that serve.
type storeUser struct {
	process string             // Process.ID: whose claims are to be given back when it is gone
	setback func(cause string) // the store may have lost its last moments
	log     *slog.Logger
}

// openStoreFor is openStore for a process that serves.
func openStoreFor(ctx context.Context, s *config.Store, by storeUser) (store.Store, error) {
	if s.Redis == nil {
		return openStore(ctx, s)
	}
	return openRedis(ctx, s, by)
}

func openRedis(ctx context.Context, s *config.Store, by storeUser) (store.Store, error) {
	r := s.Redis
	o := redis.Options{
		Addrs: r.Addrs, Mode: redis.Mode(r.Mode), MasterName: r.Master, DB: r.DB, Username: r.Username, Password: r.Password.Reveal(),
		Durability: redis.Durability(s.Durability), Reasons: reasonsOf(s),
		Process: by.process, OnSetback: by.setback, Logger: by.log,
	}
	if r.TLS {
		roots, err := h2.Roots(s.CAFile)
		if err != nil {
			return nil, &config.Error{Key: "store.ca_file", Cause: err.Error()}
		}
		o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	// A typed nil would be a store.
	db, err := redis.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return db, nil
}
