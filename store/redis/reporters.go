package redis

import (
	"context"
	"fmt"

	"rouse/store"
)

// Reporter reads how far a server module has come.
func (s *Store) Reporter(ctx context.Context, host string) (store.Reporter, error) {
	if err := s.enter(ctx); err != nil {
		return store.Reporter{}, err
	}
	defer s.leave()
	shard := store.Shard(host)
	k := key(shard, reporterKind, host)
	r, err := s.run(ctx, call{shard: shard, args: []any{"GET", k}})
	if err != nil {
		return store.Reporter{}, err
	}
	row, found := r.value.(string)
	if !found {
		return store.Reporter{Host: host}, nil
	}
	reporter, err := parseReporter(host, row)
	if err != nil {
		return store.Reporter{}, damaged(k, err)
	}
	return reporter, nil
}

// SetReporter writes after in the place of before.
func (s *Store) SetReporter(ctx context.Context, before, after store.Reporter) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if before.Host != after.Host {
		return fmt.Errorf("store: a reporter of %s in the place of one of %s", after.Host, before.Host)
	}
	return s.setReporter(ctx, after, reporterRow(before))
}

func (s *Store) setReporter(ctx context.Context, r store.Reporter, from string) error {
	shard := store.Shard(r.Host)
	to, none := reporterRow(r), reporterRow(store.Reporter{})
	if to == none {
		to = "" // a node that is gone
	}
	got, err := s.run(ctx, call{shard: shard, script: "replace", write: true, keys: []string{key(shard, reporterKind, r.Host)},
		args:  []any{from, to, none, "0"},
		again: func(args []any) { args[3] = "1" }})
	if err != nil {
		return err
	}
	done, err := got.number()
	if err == nil && done == 0 {
		err = store.ErrConflict
	}
	return err
}

// Keep keeps the first value given under a name.
func (s *Store) Keep(ctx context.Context, name, value string) (string, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.leave()
	shard := store.Shard(name)
	r, err := s.run(ctx, call{shard: shard, script: "keep", write: value != "", keys: []string{key(shard, keptKind, name)}, args: []any{value}})
	if err != nil {
		return "", err
	}
	kept, ok := r.value.(string)
	if !ok {
		return "", fmt.Errorf("redis answered %T where a text was due", r.value)
	}
	return kept, nil
}
