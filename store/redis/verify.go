package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"rouse/store"
)

// Verify reads everything and compares it with what is kept about it: the counts of
// headers and shards, and the index. It is for a store that nobody works on: what
// changes meanwhile may look wrong.
func (s *Store) Verify(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	v := &verifying{s: s, sums: make([]map[string]int, store.Shards), pending: make([]int, store.Shards)}
	for keys, err := range s.scan(ctx, "*") {
		if err == nil {
			err = v.page(ctx, keys)
		}
		if err != nil {
			return err
		}
	}
	for names, err := range s.owners(ctx) {
		if err == nil {
			err = v.owners(ctx, names)
		}
		if err != nil {
			return err
		}
	}
	return v.shards(ctx)
}

// verifying adds up what is there, by shard.
type verifying struct {
	s       *Store
	mu      sync.Mutex
	sums    []map[string]int
	pending []int
}

func (v *verifying) add(shard int, name string, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sums[shard] == nil {
		v.sums[shard] = make(map[string]int)
	}
	v.sums[shard][name] += n
}

func (v *verifying) page(ctx context.Context, keys []string) error {
	var pending, reasons []string
	rest := make(map[string][]string)
	for _, k := range keys {
		p, ours := parse(k)
		if !ours {
			return damaged(k, errors.New("it is not one of ours, or lies in another shard than its name"))
		}
		switch p.kind {
		case pendingKind:
			pending = append(pending, p.name)
		case reasonsKind:
			reasons = append(reasons, p.name)
		case registrationKind, reporterKind, keptKind:
			rest[p.kind] = append(rest[p.kind], p.name)
		}
	}
	err := errors.Join(v.belongs(ctx, pendingKind, pending), v.belongs(ctx, reasonsKind, reasons), v.reasons(ctx, reasons))
	for kind, names := range rest {
		items := make([]store.Item, len(names))
		err = errors.Join(err, v.s.read(ctx, kind, names, items))
		if kind == registrationKind {
			for _, i := range items {
				if state := registrationState(i.Registration); i.Registration.Node != "" && state != stateTombstone {
					v.add(store.Shard(i.Registration.Node), state+" "+string(appendString(nil, i.Registration.App)), 1)
				}
			}
		}
	}
	return err
}

// owners compares accounts with their headers, and their wakes with the index.
func (v *verifying) owners(ctx context.Context, names []string) error {
	calls := make([]call, len(names))
	for i, name := range names {
		calls[i] = loading(name)
	}
	var entries []call
	var want []string
	err := v.s.many(ctx, calls, func(i int, value any) error {
		o, header, err := loaded(names[i], value)
		if err != nil || o.Version == 0 {
			return err
		}
		shard := store.Shard(o.Key)
		if real := count(o.Account).String(); header != real {
			return damagedOwner(o.Key, fmt.Errorf("its header counts %q, its account %q", header, real))
		}
		c := count(o.Account)
		for state, n := range c.sessions {
			v.add(shard, letters[state:state+1], n)
		}
		v.add(shard, string(endpointsLetter), c.endpoints)
		v.pending[shard] += len(o.Account.Pending)
		for k, w := range o.Account.Pending {
			entries = append(entries, call{shard: shard, args: []any{"ZSCORE", key(shard, dueName, ""), member(o.Key, field(k))}})
			want = append(want, strconv.FormatInt(ranks[k.Class]*rankSize+scoreOf(nanos(w.Due)), 10))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.s.many(ctx, entries, func(i int, value any) error {
		if got, _ := value.(string); got != want[i] {
			return damaged(entries[i].args[1].(string), fmt.Errorf("entry %q has score %q and should have %s", entries[i].args[2], got, want[i]))
		}
		return nil
	})
}

// belongs wants an owner for everything that is about one.
func (v *verifying) belongs(ctx context.Context, kind string, names []string) error {
	calls := make([]call, len(names))
	for i, name := range names {
		shard := store.Shard(name)
		calls[i] = call{shard: shard, args: []any{"HEXISTS", key(shard, ownersName, ""), name}}
	}
	return v.s.many(ctx, calls, func(i int, value any) error {
		if value != int64(1) {
			return damaged(key(store.Shard(names[i]), kind, names[i]), errors.New("it has no owner"))
		}
		return nil
	})
}

func (v *verifying) reasons(ctx context.Context, names []string) error {
	calls := make([]call, len(names))
	for i, name := range names {
		calls[i] = recording(name)
	}
	return v.s.many(ctx, calls, func(i int, value any) error {
		list, err := texts(value)
		if err == nil && len(list) > store.MaxReasons {
			err = damaged(key(store.Shard(names[i]), reasonsKind, names[i]), fmt.Errorf("%d reasons, at most %d are kept", len(list), store.MaxReasons))
		}
		for _, row := range list {
			if err == nil {
				if _, bad := parseReason(row); bad != nil {
					err = damaged(key(store.Shard(names[i]), reasonsKind, names[i]), bad)
				}
			}
		}
		return err
	})
}

// shards compares what the shards keep with what was added up.
func (v *verifying) shards(ctx context.Context) error {
	kept := make([]map[string]int, store.Shards)
	calls := make([]call, 2*store.Shards)
	for shard := range store.Shards {
		calls[shard] = call{shard: shard, args: []any{"ZCARD", key(shard, dueName, "")}}
		calls[store.Shards+shard] = call{shard: shard, args: []any{"HGETALL", key(shard, countersName, "")}}
	}
	err := v.s.many(ctx, calls, func(i int, value any) error {
		shard := i % store.Shards
		if i < store.Shards {
			if n, err := (reply{value: value}).number(); err != nil || n != int64(v.pending[shard]) {
				return damaged(key(shard, dueName, ""), fmt.Errorf("it has %d entries for %d wakes (%v)", n, v.pending[shard], err))
			}
			return nil
		}
		list, err := texts(value)
		kept[shard] = make(map[string]int)
		for i := 0; i+1 < len(list) && err == nil; i += 2 {
			kept[shard][list[i]], err = strconv.Atoi(list[i+1])
		}
		return err
	})
	if err != nil {
		return err
	}
	for shard, k := range kept {
		names := slices.Sorted(maps.Keys(k))
		for name := range v.sums[shard] {
			names = append(names, name)
		}
		for _, name := range names {
			if k[name] != v.sums[shard][name] {
				return damaged(key(shard, countersName, ""), fmt.Errorf("%q is %d and should be %d", name, k[name], v.sums[shard][name]))
			}
		}
	}
	return nil
}
