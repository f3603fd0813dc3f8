package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"rouse/session"
	"rouse/store"
)

// Claim asks the index once per class, from the most urgent down, so it costs
// what it gives however much is due.
func (s *Store) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Claimed, error) {
	if lease <= 0 {
		return nil, fmt.Errorf("store: claim with a lease of %v", lease)
	}
	if limit <= 0 {
		return nil, nil
	}
	var claimed []store.Claimed
	err := s.write(ctx, func(t *tx) error {
		for class := session.NumClasses; class > 0 && len(claimed) < limit; class-- {
			var err error
			if claimed, err = t.due(claimed, class-1, now, limit-len(claimed)); err != nil {
				return err
			}
		}
		return t.lease(claimed, now.Add(lease))
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (t *tx) due(found []store.Claimed, class session.Class, now time.Time, limit int) ([]store.Claimed, error) {
	rows, err := t.rows(`SELECT owner, service, node, serial, count, attempt, rule, since FROM wake INDEXED BY wake_due
		WHERE class=? AND due<=? ORDER BY due LIMIT ?`, class.String(), nanos(now), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c := store.Claimed{Key: session.WakeKey{Class: class}}
		var serial, since int64
		if err := rows.Scan(&c.Owner, &c.Key.Service, &c.Key.Node, &serial, &c.Wake.Count, &c.Wake.Attempt, &c.Wake.Rule, &since); err != nil {
			return nil, err
		}
		c.Wake.Serial, c.Wake.Since = uint64(serial), moment(since)
		found = append(found, c)
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

func (t *tx) lease(claimed []store.Claimed, until time.Time) error {
	type span struct{ before, after uint64 }
	versions := make(map[string]span, len(claimed))
	until = moment(nanos(until))
	for i := range claimed {
		c := &claimed[i]
		c.Wake.Due, c.Wake.Lease, c.Wake.Sent = until, until, c.Wake.Count
		if err := t.exec(`UPDATE wake SET due=?1, lease=?1, sent=count WHERE owner=?2 AND service=?3 AND node=?4 AND class=?5`,
			nanos(until), c.Owner, c.Key.Service, c.Key.Node, c.Key.Class.String()); err != nil {
			return err
		}
		v, known := versions[c.Owner]
		if !known {
			var before int64
			if err := t.row(`SELECT version FROM owner WHERE key=?`, []any{c.Owner}, &before); err != nil {
				return err
			}
			v = span{uint64(before), t.version()}
			versions[c.Owner] = v
			if err := t.exec(`UPDATE owner SET version=? WHERE key=?`, int64(v.after), c.Owner); err != nil {
				return err
			}
		}
		c.Before, c.After = v.before, v.after
	}
	return nil
}

// earliest looks at one entry of the index per class.
func earliest() string {
	var q []string
	for class := range session.NumClasses {
		q = append(q, fmt.Sprintf(`SELECT min(due) AS due FROM wake WHERE class='%s'`, class))
	}
	return `SELECT min(due) FROM (` + strings.Join(q, ` UNION ALL `) + `)`
}

// NextDue gives the earliest due time of all.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var due sql.NullInt64
	err := s.read(ctx, earliest(), nil, func(rows *sql.Rows) error { return rows.Scan(&due) })
	return moment(due.Int64), due.Valid, err
}

// Counts is as of now: the sums are kept, the pending wakes are counted.
func (s *Store) Counts(ctx context.Context) (store.Counts, error) {
	c := store.Counts{Sessions: make(map[session.State]int)}
	err := s.read(ctx, `SELECT active, inactive, delayed, hibernated, endpoints, (SELECT count(*) FROM wake), (`+earliest()+`) FROM counter`, nil, func(rows *sql.Rows) error {
		var n counts
		var due sql.NullInt64
		d := &n.sessions
		if err := rows.Scan(&d[session.Active], &d[session.Inactive], &d[session.Delayed], &d[session.Hibernated], &n.endpoints, &c.Pending, &due); err != nil {
			return err
		}
		for state, sessions := range n.sessions {
			c.Sessions[session.State(state)] = sessions
		}
		c.Endpoints, c.OldestDue = n.endpoints, moment(due.Int64)
		return nil
	})
	return c, err
}

// EndLeases ends all of them: nobody but us has the file open, so it is for the
// time before the first Claim, when what was claimed is nobody's any more.
func (s *Store) EndLeases(ctx context.Context, _ string) error {
	return s.write(ctx, func(t *tx) error {
		owners, err := t.leased()
		if err != nil {
			return err
		}
		for _, key := range owners {
			if err := t.exec(`UPDATE wake SET due=since, lease=0, sent=0 WHERE owner=? AND lease<>0`, key); err != nil {
				return err
			}
			if err := t.exec(`UPDATE owner SET version=? WHERE key=?`, int64(t.version()), key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) leased() (owners []string, err error) {
	rows, err := t.rows(`SELECT DISTINCT owner FROM wake WHERE lease<>0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		owners = append(owners, key)
	}
	return owners, errors.Join(rows.Err(), rows.Close())
}
