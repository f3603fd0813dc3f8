package redis

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"strings"

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

// literal has a pattern of SCAN mean a text as it is.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

// Owners scans all of Redis for the accounts of a host.
func (s *Store) Owners(ctx context.Context, host string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield("", err)
			return
		}
		defer s.leave()
		shard := store.Shard(host)
		r, err := s.run(ctx, call{shard: shard, args: []any{"EXISTS", key(shard, ownerKind, host)}})
		if err != nil {
			yield("", err)
			return
		}
		if r.value == int64(1) && !yield(host, nil) {
			return
		}
		for keys, err := range s.scan(ctx, "{*}"+ownerKind+"*@"+literal(host)) {
			if err != nil {
				yield("", err)
				return
			}
			for _, k := range keys {
				p, ours := parse(k)
				if !ours || p.kind != ownerKind {
					continue
				}
				if store.Host(p.name) == host && p.name != host && !yield(p.name, nil) {
					return
				}
			}
		}
	}
}

// find gives the names of all keys of one kind, page by page.
func (s *Store) find(ctx context.Context, kind string) iter.Seq2[[]string, error] {
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
