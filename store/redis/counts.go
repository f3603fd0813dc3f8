package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"rouse/session"
	"rouse/store"
)

// Counts adds up what the shards keep; pending wakes are counted.
func (s *Store) Counts(ctx context.Context) (store.Counts, error) {
	if err := s.enter(ctx); err != nil {
		return store.Counts{}, err
	}
	defer s.leave()
	c := store.Counts{Sessions: make(map[session.State]int)}
	err := s.sums(ctx, func(name string, n int) error {
		if len(name) != 1 {
			return nil
		}
		if state := strings.Index(letters, name); state >= 0 {
			c.Sessions[session.State(state)] += n
		} else if name[0] == endpointsLetter {
			c.Endpoints += n
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	if _, c.Pending, err = s.filled(ctx); err != nil {
		return c, err
	}
	_, done := s.agenda.age()
	if err := s.sweep(ctx, done); err != nil {
		return c, err
	}
	c.OldestDue, _, err = s.nextDue(ctx)
	return c, err
}

// CountRegistrations adds up what the shards keep.
func (s *Store) CountRegistrations(ctx context.Context) (map[store.RegistrationKind]int, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	kinds := make(map[store.RegistrationKind]int)
	err := s.sums(ctx, func(name string, n int) error {
		state, app, found := strings.Cut(name, " ")
		if !found {
			return nil
		}
		k := store.RegistrationKind{Dead: state == stateDead}
		if err := json.Unmarshal([]byte(app), &k.App); err != nil {
			return err
		}
		kinds[k] += n
		return nil
	})
	return kinds, err
}

// sums gives everything that the shards count.
func (s *Store) sums(ctx context.Context, sum func(name string, n int) error) error {
	calls := make([]call, store.Shards)
	for shard := range calls {
		calls[shard] = call{shard: shard, args: []any{"HGETALL", key(shard, countersName, "")}}
	}
	return s.many(ctx, calls, func(shard int, value any) error {
		list, err := texts(value)
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(list); i += 2 {
			n, err := strconv.Atoi(list[i+1])
			if err == nil {
				err = sum(list[i], n)
			}
			if err != nil {
				return damaged(key(shard, countersName, ""), fmt.Errorf("%q counts %q: %w", list[i], list[i+1], err))
			}
		}
		return nil
	})
}
