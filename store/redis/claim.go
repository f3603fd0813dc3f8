package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rouse/session"
	"rouse/store"
)

// mostSweeps bounds the sweeps of one claim.
const mostSweeps = 3

// Claim takes what the agenda has, and sweeps where that may not be all.
func (s *Store) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Claimed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if lease <= 0 {
		return nil, fmt.Errorf("store: claim with a lease of %v", lease)
	}
	var claimed []taken
	var failed error
	for sweeps := 0; len(claimed) < limit && failed == nil; {
		_, done := s.agenda.age()
		candidates, blind := s.agenda.take(nanos(now), limit-len(claimed), sweeps == mostSweeps)
		got, err := s.claim(ctx, candidates, now, now.Add(lease))
		claimed, failed = append(claimed, got...), err
		if err != nil || len(candidates) > 0 && (!blind || sweeps == mostSweeps) {
			continue
		}
		since, _ := s.agenda.age()
		if sweeps == mostSweeps || !blind && since < sweepEach {
			break
		}
		sweeps++
		failed = s.sweep(ctx, done)
	}
	if failed != nil && len(claimed) == 0 {
		return nil, failed
	}
	slices.SortStableFunc(claimed, func(a, b taken) int {
		return cmp.Or(-cmp.Compare(a.Key.Class, b.Key.Class), cmp.Compare(a.was, b.was))
	})
	var out []store.Claimed
	for _, c := range claimed {
		out = append(out, c.Claimed)
	}
	return out, nil // what could not be claimed is claimed the next time, or found out why not
}

// taken is a claimed wake and what it was due at.
type taken struct {
	store.Claimed
	was string
}

// claim tries to claim candidates, those of one owner in one step.
func (s *Store) claim(ctx context.Context, candidates []candidate, now, until time.Time) ([]taken, error) {
	order := make([]string, 0, len(candidates))
	owners := make(map[string][]candidate)
	for _, c := range candidates {
		if owners[c.id.owner] == nil {
			order = append(order, c.id.owner)
		}
		owners[c.id.owner] = append(owners[c.id.owner], c)
	}
	got := make([][]taken, len(order))
	errs := make([]error, len(order))
	_ = each(len(order), func(i int) error {
		got[i], errs[i] = s.claimOf(ctx, order[i], owners[order[i]], now, until)
		return nil
	})
	return slices.Concat(got...), errors.Join(errs...)
}

func (s *Store) claimOf(ctx context.Context, owner string, candidates []candidate, now, until time.Time) ([]taken, error) {
	out, err := s.claimScript(ctx, owner, candidates, now, until)
	if err != nil {
		for _, c := range candidates {
			s.agenda.back(c.id, c.due, c.exact)
		}
		s.doubts.note(candidates, now, until)
	}
	return out, err
}

func (s *Store) claimScript(ctx context.Context, owner string, candidates []candidate, now, until time.Time) ([]taken, error) {
	at, err1 := stamp(now)
	end, err2 := stamp(until)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	shard, version := store.Shard(owner), s.version()
	args := []any{owner, at, end, versionText(version), s.o.Process}
	for _, c := range candidates {
		args = append(args, field(c.id.key), s.doubts.of(c.id))
	}
	r, err := s.run(ctx, call{shard: shard, script: "claim", write: true, args: args,
		keys: []string{key(shard, ownersName, ""), key(shard, pendingKind, owner), key(shard, dueName, "")}})
	if err != nil {
		return nil, err
	}
	list, err := texts(r.value)
	if err != nil || len(list) != 1+2*len(candidates) {
		return nil, fmt.Errorf("redis answered a claim of %d wakes with %d texts: %v", len(candidates), len(list), err)
	}
	var before uint64
	if list[0] != "" {
		if before, err = parseVersion(list[0]); err != nil {
			return nil, err
		}
	}
	var out []taken
	for i, c := range candidates {
		s.doubts.forget(c.id)
		was, row := list[1+2*i], list[2+2*i]
		switch {
		case row != "":
			w, _, err := parseWake(row)
			if err != nil {
				return nil, damaged(key(shard, pendingKind, owner), err)
			}
			s.agenda.back(c.id, nanos(w.Due), true)
			if before == 0 {
				was, _ = stamp(moment(c.due)) // the answer that had it was lost
			}
			out = append(out, taken{store.Claimed{Owner: owner, Key: c.id.key, Wake: w, Before: before, After: version}, was})
		case was != "":
			due, err := parseStamp(was)
			if err != nil {
				return nil, damaged(key(shard, pendingKind, owner), err)
			}
			s.agenda.back(c.id, nanos(due), true)
		}
	}
	return out, nil
}

// NextDue gives the earliest due time of all.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	if err := s.enter(ctx); err != nil {
		return time.Time{}, false, err
	}
	defer s.leave()
	return s.nextDue(ctx)
}

func (s *Store) nextDue(ctx context.Context) (time.Time, bool, error) {
	for {
		since, done := s.agenda.age()
		first, found, blind := s.agenda.first()
		switch {
		case blind || since >= sweepEach:
			if err := s.sweep(ctx, done); err != nil {
				return time.Time{}, false, err
			}
		case !found:
			return time.Time{}, false, nil
		case first.exact:
			return moment(first.due), true, nil
		default:
			if err := s.settle(ctx, first.id); err != nil {
				return time.Time{}, false, err
			}
		}
	}
}

// settle finds out when a wake is due to the nanosecond.
func (s *Store) settle(ctx context.Context, id wakeID) error {
	shard := store.Shard(id.owner)
	r, err := s.run(ctx, call{shard: shard, args: []any{"HGET", key(shard, pendingKind, id.owner), field(id.key)}})
	if err != nil {
		return err
	}
	row, pending := r.value.(string)
	var w session.Wake
	if pending {
		if w, _, err = parseWake(row); err != nil {
			return damaged(key(shard, pendingKind, id.owner), err)
		}
	}
	s.agenda.settle(id, nanos(w.Due), pending)
	return nil
}
