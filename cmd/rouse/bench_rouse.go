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
	return subject{
		db:   a.store.(timedStore).Store.(*sqlite.Store),
		stop: func() error { cancel(); return <-ended },
	}, nil
}
