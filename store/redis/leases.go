package redis

import (
	"context"
	"fmt"
	"slices"
)

// EndLeases looks at every pending wake, shard by shard.
func (s *Store) EndLeases(ctx context.Context, process string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if process == "" {
		process = "*"
	}
	shards, _, err := s.filled(ctx)
	if err != nil {
		return err
	}
	return each(len(shards), func(i int) error { return s.endLeases(ctx, shards[i], process) })
}

func (s *Store) endLeases(ctx context.Context, shard int, process string) error {
	owners, err := s.pending(ctx, shard)
	if err != nil {
		return err
	}
	for name, wakes := range owners {
		version := s.version()
		args := []any{name, versionText(version), process}
		for _, k := range wakes {
			args = append(args, field(k.key))
		}
		r, err := s.run(ctx, call{shard: shard, script: "release", write: true, args: args,
			keys: []string{key(shard, ownersName, ""), key(shard, pendingKind, name), key(shard, dueName, "")}})
		if err != nil {
			return err
		}
		released, err := texts(r.value)
		if err != nil {
			return err
		}
		for _, k := range wakes {
			if slices.Contains(released, field(k.key)) {
				s.agenda.hint(k)
			}
		}
	}
	return nil
}

// pending gives the entries of a shard's index by owner.
func (s *Store) pending(ctx context.Context, shard int) (map[string][]wakeID, error) {
	r, err := s.run(ctx, call{shard: shard, args: []any{"ZRANGE", key(shard, dueName, ""), 0, -1}})
	if err != nil {
		return nil, err
	}
	members, err := texts(r.value)
	if err != nil {
		return nil, err
	}
	owners := make(map[string][]wakeID)
	for _, m := range members {
		id, ok := parseMember(m)
		if !ok {
			return nil, damaged(key(shard, dueName, ""), fmt.Errorf("it has an entry %q", m))
		}
		owners[id.owner] = append(owners[id.owner], id)
	}
	return owners, nil
}
