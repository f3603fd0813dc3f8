package main

import (
	"context"
	"io"
	"time"

	"rouse/config"
	"rouse/store/sqlite"
)

// startRouse is what serve does, with the signals left out.
func startRouse(ctx context.Context, cfg *config.Config, log io.Writer) (subject, error) {
	a, err := build(ctx, cfg, time.Now, log)
	if err != nil {
		return subject{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx, func() {}) }()
	s := subject{db: a.store, stop: func() error { cancel(); return <-ended }}
	if db, ok := a.store.(timedStore).Store.(*sqlite.Store); ok {
		s.commits = func() uint64 { return db.Stats().Commits }
	}
	return s, nil
}
