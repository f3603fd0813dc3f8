package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rouse/config"
	"rouse/store"
	"rouse/store/transfer"
)

// verify is rouse store verify.
func (c *storeCall) verify(ctx context.Context, io stdio, args []string) error {
	const form = "rouse store verify [flags] [STORE]"
	var s *config.Store
	switch flag := c.given("password-file", "ca-file"); {
	case len(args) > 1:
		return usage{text: fmt.Sprintf("store verify: takes one store, and got %d arguments", len(args)), hint: "flags come first: " + form}
	case len(args) == 1 && c.given("c", "config") != "":
		return usage{text: "store verify: a store is named, and a configuration as well", hint: form}
	case len(args) == 1:
		var err error
		if s, err = c.named("verify: STORE", args[0]); err != nil {
			return err
		}
	case flag != "":
		return usage{text: "store verify: --" + flag + " goes with a store on the command line", hint: "the configuration has settings for that"}
	default:
		cfg, _, err := c.load(io)
		if err != nil {
			return err
		}
		s = &cfg.Store
	}
	t, err := verifyStore(ctx, s)
	if err != nil && ctx.Err() != nil {
		err = errors.New("stopped before everything was read")
	}
	found := struct {
		Store string `json:"store"`
		OK    bool   `json:"ok"`
		*transfer.Tally
		Text string `json:"text,omitempty"`
		Fix  string `json:"fix,omitempty"`
	}{Store: s.Name, OK: err == nil}
	if err == nil {
		found.Tally = &t
	} else {
		found.Text, found.Fix = hinted(err)
	}
	switch {
	case c.json:
		json.NewEncoder(io.out).Encode(found)
	case err == nil:
		fmt.Fprintln(io.out, s.Name)
		printTally(io.out, t)
		fmt.Fprintln(io.out, "ok")
	}
	return err
}

// verifyStore reads all of a store twice: once for what is wrong, once for what is
// there. Nobody may work on it meanwhile: what changes would look wrong.
func verifyStore(ctx context.Context, s *config.Store) (t transfer.Tally, err error) {
	if err := there(s); err != nil {
		return t, err
	}
	return t, alone(ctx, s, "verifies the store", func(ctx context.Context, st store.Store) error {
		if err := st.Verify(ctx); err != nil {
			return damage(s.Name, err)
		}
		if err := finished(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if t, err = transfer.Count(ctx, st); err != nil {
			return damage(s.Name, err)
		}
		return nil
	})
}

// damage gives what is wrong with a store a place, and a remedy if it has none.
func damage(name string, err error) error {
	err = fmt.Errorf("%s: %w", name, err)
	if _, remedy := hinted(err); remedy != "" {
		return err
	}
	return hint{err.Error(), "stop rouse and put back a backup: docs/backup.md"}
}
