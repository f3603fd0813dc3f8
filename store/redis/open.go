package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rouse/store"
)

// Format is the version of the layout that this package writes. It only grows.
const Format = 1

// formatText is what lies under {0}format.
func formatText() string { return "rouse " + strconv.Itoa(Format) }

// errForeign: the database is somebody else's.
var errForeign = errors.New("the database holds keys that are not rouse's")

const foreignRemedy = "name another database or another Redis in store.url; rouse wants one for itself"

// open makes sure that what is there is ours and can be used, and says whose it is.
func (s *Store) open(ctx context.Context) error {
	masters, err := s.masters()
	if err != nil {
		return err
	}
	for _, n := range masters {
		if err := s.usable(ctx, n); err != nil {
			return err
		}
	}
	format, err := s.format(ctx)
	if err != nil {
		return err
	}
	if format == "" {
		for _, n := range masters {
			foreign, err := foreignKey(ctx, n)
			if err != nil {
				return explain(n.addr, err)
			}
			if foreign != "" {
				return &Error{n.addr, fmt.Errorf("%w: %q", errForeign, foreign), foreignRemedy}
			}
		}
	} else if err := s.readable(format); err != nil {
		return err
	}
	for _, n := range masters {
		if err := s.probe(ctx, n); err != nil {
			return err
		}
	}
	_, err = s.run(ctx, call{script: "keep", keys: []string{key(0, formatName, "")}, args: []any{formatText()}, write: true})
	return err
}

// usable refuses what can be seen to be wrong before anything is written.
func (s *Store) usable(ctx context.Context, n *node) error {
	i, err := look(ctx, n.client)
	switch {
	case err != nil:
		return explain(n.addr, err)
	case i.mode == "cluster" && s.o.Mode != Cluster:
		return &Error{n.addr, errors.New("this Redis is part of a cluster"), "use redis+cluster:// in store.url"}
	case i.role != "master":
		return &Error{n.addr, errors.New("this Redis is a replica and cannot be written to"), "name the master, or use Sentinel's or Cluster's addresses"}
	}
	return nil
}

// format gives what says whose keys these are; "" where nothing does.
func (s *Store) format(ctx context.Context) (string, error) {
	r, err := s.run(ctx, call{args: []any{"GET", key(0, formatName, "")}})
	text, _ := r.value.(string)
	return text, err
}

func (s *Store) readable(format string) error {
	n, err := strconv.Atoi(strings.TrimPrefix(format, "rouse "))
	switch {
	case !strings.HasPrefix(format, "rouse ") || err != nil:
		return &Error{s.o.Addrs[0], fmt.Errorf("%w: %s is %q", errForeign, key(0, formatName, ""), format), foreignRemedy}
	case n > Format:
		return &Error{s.o.Addrs[0], fmt.Errorf("format %d, known is %d: %w", n, Format, store.ErrNewer), "start the newer rouse, or restore a backup from before the update"}
	}
	return nil
}

// foreignKey gives a key that is not ours, if one is among the first that a Redis shows.
func foreignKey(ctx context.Context, n *node) (string, error) {
	const enough = 1000
	seen := 0
	for cursor, first := uint64(0), true; (first || cursor != 0) && seen < enough; first = false {
		keys, next, err := n.client.Scan(ctx, cursor, "", 500).Result()
		if err != nil {
			return "", err
		}
		for _, k := range keys {
			if _, ours := parse(k); !ours {
				return k, nil
			}
		}
		seen += len(keys)
		cursor = next
	}
	return "", nil
}

// probe does everything once that the scripts will do on a master.
func (s *Store) probe(ctx context.Context, n *node) error {
	for shard, at := range s.shards.Load() {
		if at == n {
			_, err := s.run(ctx, call{shard: shard, script: "probe", keys: []string{key(shard, probeName, "")}, write: true})
			return err
		}
	}
	return nil
}
