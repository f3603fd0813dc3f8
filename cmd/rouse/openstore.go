package main

import (
	"context"

	"rouse/config"
	"rouse/store"
	"rouse/store/sqlite"
	"rouse/store/transfer"
)

// openStore opens the store that a configuration, or a command line, names.
func openStore(ctx context.Context, s *config.Store) (store.Store, error) {
	if s.Redis != nil {
		return openRedis(ctx, s, storeUser{})
	}
	// A typed nil would be a store.
	db, err := sqlite.Open(ctx, s.Path, sqlite.Options{Reasons: reasonsOf(s)})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// reasonsOf is store.record as the stores have it, whose zero value is the default.
func reasonsOf(s *config.Store) int {
	if s.Record == 0 {
		return -1
	}
	return s.Record
}

// finished refuses a store that is half of another one.
func finished(ctx context.Context, s store.Store) error {
	of, err := transfer.Unfinished(ctx, s)
	if err != nil || of == "" {
		return err
	}
	return hint{"this is an unfinished copy of " + of, "finish it first: rouse store copy " + of + " TO"}
}
