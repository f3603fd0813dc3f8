package redis

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"

	"rouse/store"
)

// page is about how many keys Redis looks at for one answer.
const page = 1000

// scan gives all keys of a pattern, page by page, each key once. Redis may show a key
// twice, and so may two nodes between which it moves. What it gives is remembered by
// a hash of 64 bits: of 10 million keys one is missed with a chance of 1 in 400,000.
func (s *Store) scan(ctx context.Context, pattern string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		seed := maphash.MakeSeed()
		seen := make(map[uint64]struct{})
		masters, err := s.masters()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, n := range masters {
			for cursor, first := uint64(0), true; first || cursor != 0; first = false {
				keys, next, err := s.page(ctx, n, cursor, pattern)
				if err != nil {
					yield(nil, err)
					return
				}
				fresh := keys[:0]
				for _, k := range keys {
					h := maphash.String(seed, k)
					if _, twice := seen[h]; !twice {
						seen[h] = struct{}{}
						fresh = append(fresh, k)
					}
				}
				if len(fresh) > 0 && !yield(fresh, nil) {
					return
				}
				cursor = next
			}
		}
	}
}

// page asks again where that may help: cursors mean the same to a Redis that is back.
func (s *Store) page(ctx context.Context, n *node, cursor uint64, pattern string) ([]string, uint64, error) {
	r := route{place: n.addr}
	for {
		keys, next, err := n.client.Scan(ctx, cursor, pattern, page).Result()
		if err == nil {
			return keys, next, nil
		}
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if !s.next(ctx, &r, err) {
			return nil, 0, explain(n.addr, err)
		}
	}
}

// owners gives the keys of all owners, shard by shard.
func (s *Store) owners(ctx context.Context) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for shards := range slices.Chunk(allShards(), portion) {
			calls := make([]call, len(shards))
			for i, shard := range shards {
				calls[i] = call{shard: shard, args: []any{"HKEYS", key(shard, ownersName, "")}}
			}
			found := make([][]string, len(shards))
			err := s.many(ctx, calls, func(i int, value any) error {
				var err error
				found[i], err = texts(value)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, names := range found {
				if len(names) > 0 && !yield(names, nil) {
					return
				}
			}
		}
	}
}

func allShards() []int {
	all := make([]int, store.Shards)
	for i := range all {
		all[i] = i
	}
	return all
}

// Owners reads the keys of all owners and gives those of a host.
func (s *Store) Owners(ctx context.Context, host string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield("", err)
			return
		}
		defer s.leave()
		for names, err := range s.owners(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range names {
				if store.Host(name) == host && !yield(name, nil) {
					return
				}
			}
		}
	}
}

// find gives the names of all things of one kind, page by page.
func (s *Store) find(ctx context.Context, kind string) iter.Seq2[[]string, error] {
	if kind == ownersName {
		return s.owners(ctx)
	}
	return func(yield func([]string, error) bool) {
		for keys, err := range s.scan(ctx, "{*}"+kind+"*") {
			var names []string
			for _, k := range keys {
				p, ours := parse(k)
				if !ours {
					err = damaged(k, fmt.Errorf("it is not one of ours, or lies in another shard than its name"))
				} else if p.kind == kind {
					names = append(names, p.name)
				}
			}
			if !yield(names, err) || err != nil {
				return
			}
		}
	}
}
