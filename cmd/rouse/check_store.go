package main

import (
	"context"
	"fmt"
	"time"

	"rouse/config"
	"rouse/store/redis"
)

// storeTime is how long a Redis may take for all that it is asked.
const storeTime = 30 * time.Second

// checkStore looks at a Redis, and then opens it as serve does, which proves that
// the user has all rights. A file is left alone: a rouse that serves has it open.
func checkStore(ctx context.Context, cfg *config.Config, p *printer) {
	s := &cfg.Store
	if s.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	found, err := inspect(ctx, s)
	bad := false
	for _, f := range found {
		p.print(finding{Place: "store " + f.Place, OK: f.Level != redis.Failure, Warn: f.Level == redis.Warning, Text: f.What, Fix: f.Remedy})
		bad = bad || f.Level == redis.Failure
	}
	if err == nil && !bad {
		err = opens(ctx, s)
	}
	if err != nil {
		text, fix := hinted(err)
		p.print(finding{Place: "store", Text: text, Fix: fix, Why: "rouse does not start without its store"})
	}
}

func inspect(ctx context.Context, s *config.Store) ([]redis.Finding, error) {
	o, err := redisOptions(s, storeUser{})
	if err != nil {
		return nil, err
	}
	return redis.Inspect(ctx, o)
}

// opens opens a store, and looks whether it is a whole one.
func opens(ctx context.Context, s *config.Store) error {
	st, err := openStore(ctx, s)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := finished(ctx, st); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}
