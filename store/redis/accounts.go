package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"rouse/session"
	"rouse/store"
)

// Load is one script, so that state and wakes are of the same moment.
func (s *Store) Load(ctx context.Context, name string) (store.Owner, error) {
	if err := s.enter(ctx); err != nil {
		return store.Owner{}, err
	}
	defer s.leave()
	r, err := s.run(ctx, loading(name))
	if err != nil {
		return store.Owner{}, err
	}
	o, _, err := loaded(name, r.value)
	return o, err
}

func loading(name string) call {
	shard := store.Shard(name)
	return call{shard: shard, script: "load", args: []any{name},
		keys: []string{key(shard, ownersName, ""), key(shard, pendingKind, name)}}
}

// loaded reads what the script gives: the owner, with the counts of its header.
func loaded(name string, value any) (store.Owner, string, error) {
	o := store.Owner{Key: name, Account: session.Account{}.Clone()} // with no map nil
	list, ok := value.([]any)
	if !ok || len(list) != 2 {
		return o, "", fmt.Errorf("redis answered %T where an owner was due", value)
	}
	text, stored := list[0].(string)
	if !stored {
		return o, "", nil
	}
	row, err := parseOwner(text)
	if err != nil {
		return o, "", damagedOwner(name, err)
	}
	rows, err := texts(list[1])
	if err != nil {
		return o, "", err
	}
	o.Version, o.Account = row.version, row.account
	for pair := range slices.Chunk(rows, 2) {
		k, err1 := parseField(pair[0])
		w, _, err2 := parseWake(pair[1])
		if err := errors.Join(err1, err2); err != nil {
			return o, "", damaged(key(store.Shard(name), pendingKind, name), err)
		}
		o.Account.Pending[k] = w
	}
	return o, row.counts, nil
}

// Commit encodes in the caller's goroutine; what waits and is sent is text.
func (s *Store) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.commit(ctx, c, versionText(c.Version))
}

// commit stores a decision over the version `from`; "*": over any.
func (s *Store) commit(ctx context.Context, c store.Commit, from string) (uint64, error) {
	if err := valid(c); err != nil {
		return 0, err
	}
	var version uint64
	if !c.Forget {
		version = s.version()
	}
	args, err := s.decision(c, from, version)
	if err != nil {
		return 0, err
	}
	shard := store.Shard(c.Key)
	r, err := s.run(ctx, call{shard: shard, script: "commit", write: true, args: args,
		keys: []string{key(shard, ownersName, ""), key(shard, pendingKind, c.Key), key(shard, reasonsKind, c.Key),
			key(shard, dueName, ""), key(shard, countersName, "")},
		again: func(args []any) { args[2] = "1" },
	})
	if err != nil {
		return 0, err
	}
	done, err := r.number()
	switch {
	case err != nil:
		return 0, err
	case done == 0 && r.again:
		// It may have been stored before somebody else changed the owner.
		return 0, fmt.Errorf("store: the answer of redis was lost, and %s has changed since: the decision may be stored or not", c.Key)
	case done == 0:
		return 0, store.ErrConflict
	}
	s.agenda.learn(c)
	return version, nil
}

func valid(c store.Commit) error {
	if c.Key == "" {
		return errors.New("store: commit without an owner's key")
	}
	if c.Forget {
		return nil
	}
	for id, s := range c.Account.Sessions {
		if s.State >= session.NumStates {
			return fmt.Errorf("store: session %s of %s has %s", id, c.Key, s.State)
		}
	}
	for k := range c.Put {
		if k.Class >= session.NumClasses {
			return fmt.Errorf("store: wake of %s has %s", c.Key, k.Class)
		}
	}
	return nil
}

// decision gives the arguments of the commit's script.
func (s *Store) decision(c store.Commit, from string, version uint64) ([]any, error) {
	args := make([]any, 11, 11+len(c.Drop)+2*len(c.Put)+len(c.Reasons))
	args[0], args[1], args[2], args[3] = from, versionText(version), "0", c.Key
	args[4], args[5], args[6], args[7] = "", "", 0, 0
	args[8], args[9], args[10] = s.o.Reasons, "", strconv.Itoa(int(store.ReasonAge/time.Second))
	if c.Forget {
		return args, nil
	}
	counts := count(c.Account).String()
	args[4], args[5] = counts, appendOwner(make([]byte, 0, 256), version, counts, c.Account)
	args[6], args[7] = len(c.Drop), len(c.Put)
	for _, k := range c.Drop {
		args = append(args, field(k))
	}
	for k, w := range c.Put {
		row, err := wakeRow(w)
		if err != nil {
			return nil, err
		}
		args = append(args, field(k), row)
	}
	var newest time.Time
	for _, r := range c.Reasons[max(0, len(c.Reasons)-s.o.Reasons):] {
		row, err := reasonRow(r)
		if err != nil {
			return nil, err
		}
		args = append(args, row)
		if r.At.After(newest) {
			newest = r.At
		}
	}
	horizon := newest.Add(-store.ReasonAge)
	if nanos(newest) < int64(store.ReasonAge) {
		horizon = time.Time{}
	}
	var err error
	args[9], err = stamp(horizon)
	return args, err
}

// Reasons reads the record of an owner.
func (s *Store) Reasons(ctx context.Context, name string, since time.Time) ([]session.Reason, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	r, err := s.run(ctx, recording(name))
	if err != nil {
		return nil, err
	}
	return recorded(name, r.value, since)
}

func recording(name string) call {
	shard := store.Shard(name)
	return call{shard: shard, args: []any{"LRANGE", key(shard, reasonsKind, name), 0, -1}}
}

func recorded(name string, value any, since time.Time) ([]session.Reason, error) {
	rows, err := texts(value)
	if err != nil {
		return nil, err
	}
	var out []session.Reason
	for _, row := range rows {
		r, err := parseReason(row)
		if err != nil {
			return nil, damaged(key(store.Shard(name), reasonsKind, name), err)
		}
		if !r.At.Before(since) {
			out = append(out, r)
		}
	}
	return out, nil
}
