package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"rouse/config"
	"rouse/store"
	"rouse/store/transfer"
)

// copy is rouse store copy.
func (c *storeCall) copy(ctx context.Context, io stdio, args []string) error {
	const form = "rouse store copy FROM TO"
	switch {
	case len(args) < 2:
		return usage{text: "store copy: from where, and to where?", hint: form}
	case len(args) > 2:
		return usage{text: fmt.Sprintf("store copy: takes two stores, and got %d arguments", len(args)), hint: "flags come first: rouse store copy [flags] FROM TO"}
	case c.given("c", "config") != "":
		return usage{text: "store copy: reads no configuration", hint: form}
	}
	from, err := c.named("copy: FROM", args[0], args[1])
	if err != nil {
		return err
	}
	to, err := c.named("copy: TO", args[1], args[0])
	if err != nil {
		return err
	}
	if err := there(from); err != nil {
		return err
	}
	if from.Name == to.Name || sameFile(from.Path, to.Path) {
		return usage{text: "store copy: FROM and TO are the same store", hint: form}
	}
	p := newProgress(io.out, c.json)
	t, err := copyStore(ctx, from, to, p.show)
	p.end()
	if err != nil {
		return err
	}
	p.copied(from.Name, to.Name, t)
	return nil
}

// copyStore opens both stores, each for as long as nobody else works on it.
func copyStore(ctx context.Context, from, to *config.Store, progress func(transfer.Progress)) (transfer.Tally, error) {
	var t transfer.Tally
	return t, alone(ctx, from, "copies the store", func(ctx context.Context, source store.Store) error {
		return alone(ctx, to, "copies a store to here", func(ctx context.Context, target store.Store) error {
			var err error
			t, err = transfer.Copy(ctx, source, target, transfer.Options{Source: from.Name, Progress: progress, Now: time.Now})
			if err != nil {
				return fmt.Errorf("%s to %s: %w", from.Name, to.Name, err)
			}
			return nil
		})
	})
}

// alone opens a store that nobody else may work on, and says what it does there.
func alone(ctx context.Context, s *config.Store, what string, do func(context.Context, store.Store) error) error {
	st, err := openStore(ctx, s)
	if err != nil {
		return err
	}
	self := store.Process{ID: rand.Text(), Machine: machine(), PID: os.Getpid(), Version: release, Started: time.Now(), Link: "none: " + what}
	ctx, leave, err := transfer.Alone(ctx, st, self)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", s.Name, err), st.Close())
	}
	err = do(ctx, st)
	leave()
	return errors.Join(err, st.Close())
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
