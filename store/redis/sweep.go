package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rouse/session"
	"rouse/store"
)

const (
	sweepEach = time.Second // a sweep is not older when a claim lacks wakes
	perShard  = 8           // wakes that a sweep takes of each class and shard: those due first
)

// epoch2020 is where the scores of the index begin, in microseconds since 1970;
// lastScore is the latest due time they can tell.
const (
	epoch2020 = 1577836800000000
	lastScore = 999999999999999
	rankSize  = 1000000000000000
)

// ranks are those of lua/common.lua: where a class is in the index.
var ranks = [session.NumClasses]int64{
	session.Nothing: 0, session.Silent: 1, session.Subscription: 2, session.Group: 3,
	session.Mention: 4, session.Message: 5, session.Call: 6, session.Invitation: 7,
}

// scoreOf is the part of a score that tells the due time, not later than it is.
func scoreOf(due int64) int64 {
	return max(0, min(due/1000-epoch2020, lastScore))
}

// dueOf is the reverse: the earliest due time that has the score.
func dueOf(score int64) int64 {
	if score == 0 {
		return 0 // or whatever is before 2020
	}
	return (score + epoch2020) * 1000
}

// sweep looks at the indexes of all shards. It does nothing if one ended since the
// one with the number `after`.
func (s *Store) sweep(ctx context.Context, after uint64) error {
	select {
	case s.sweeps <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.sweeps }()
	if _, done := s.agenda.age(); done > after {
		return nil
	}
	sw := s.agenda.begin()
	shards, _, err := s.filled(ctx)
	if err != nil {
		return err
	}
	calls := make([]call, len(shards))
	for i, shard := range shards {
		calls[i] = call{shard: shard, script: "look", keys: []string{key(shard, dueName, "")}, args: []any{perShard}}
	}
	err = s.many(ctx, calls, func(i int, value any) error { return sw.take(shards[i], value) })
	if err != nil {
		return err
	}
	s.agenda.end(sw)
	return nil
}

// filled gives the shards that have pending wakes, and how many these are in all.
func (s *Store) filled(ctx context.Context) (shards []int, pending int, err error) {
	calls := make([]call, store.Shards)
	for shard := range calls {
		calls[shard] = call{shard: shard, args: []any{"ZCARD", key(shard, dueName, "")}}
	}
	err = s.many(ctx, calls, func(shard int, value any) error {
		n, err := reply{value: value}.number()
		if n > 0 {
			shards = append(shards, shard)
			pending += int(n)
		}
		return err
	})
	return shards, pending, err
}

// take reads what the script gives of a shard: members and scores, class by class.
func (sw *sweeping) take(shard int, value any) error {
	list, err := texts(value)
	if err != nil {
		return err
	}
	var inClass [len(sw.horizon)]int
	for i := 0; i+1 < len(list); i += 2 {
		id, ok := parseMember(list[i])
		score, err := strconv.ParseInt(list[i+1], 10, 64)
		if !ok || err != nil {
			return damaged(key(shard, dueName, ""), fmt.Errorf("it has an entry %q with score %q", list[i], list[i+1]))
		}
		class := id.key.Class
		due := dueOf(score - ranks[class]*rankSize)
		sw.found = append(sw.found, candidate{id: id, due: due})
		if inClass[class]++; inClass[class] == perShard { // there may be more behind it
			sw.horizon[class] = min(sw.horizon[class], due)
		}
	}
	return nil
}
