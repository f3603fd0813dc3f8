package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"rouse/config"
	"rouse/store/redis"
)

const redisTime = 15 * time.Second

// checkStore looks at a Redis. A file of ours is opened when rouse starts, and needs
// nobody to set it up.
func checkStore(ctx context.Context, s *config.Store, p *printer) {
	if s.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisTime)
	defer cancel()
	o, err := redisOptions(s)
	var found []redis.Finding
	if err == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) // the findings say it
		found, err = redis.Inspect(ctx, o)
	}
	if err != nil {
		f := finding{Place: "store", Text: err.Error(), Why: "without the store rouse does not start"}
		var e *redis.Error
		if errors.As(err, &e) {
			f.Text, f.Fix = fmt.Sprintf("%s: %v", e.Place, e.Cause), e.Remedy
		}
		p.print(f)
	}
	for _, f := range found {
		p.print(finding{Place: "store", OK: f.Level != redis.Failure, Warn: f.Level == redis.Warning, Text: f.Place + ": " + f.What, Fix: f.Remedy})
	}
}
