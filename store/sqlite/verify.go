package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rouse/session"
	"rouse/store"
)

// Verify lets SQLite check the file, and then checks every row as of one moment.
func (s *Store) Verify(ctx context.Context) error {
	return s.readError(ctx, s.verify(ctx))
}

func (s *Store) verify(ctx context.Context) error {
	tx, err := s.readers.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var answer string
	if err := tx.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return &Error{s.path, errors.New(answer), "the file is damaged: stop rouse and put back a backup"}
	}
	var sum counts
	var largest int64
	if err := each(ctx, tx, `SELECT key, host, version, active, inactive, delayed, hibernated, endpoints, state FROM owner`, func(rows *sql.Rows) error {
		return verifyOwner(rows, &sum, &largest)
	}); err != nil {
		return err
	}
	var kept counts
	var serial int64
	k := &kept.sessions
	if err := tx.QueryRowContext(ctx, `SELECT serial, active, inactive, delayed, hibernated, endpoints FROM counter`).
		Scan(&serial, &k[session.Active], &k[session.Inactive], &k[session.Delayed], &k[session.Hibernated], &kept.endpoints); err != nil {
		return err
	}
	if kept != sum || serial < largest {
		return fmt.Errorf("table counter: has %v and serial %d, owners have %v and version %d", kept, serial, sum, largest)
	}
	if err := each(ctx, tx, `SELECT owner, reason FROM reason`, func(rows *sql.Rows) error {
		var owner string
		var text sql.RawBytes
		if err := rows.Scan(&owner, &text); err != nil {
			return err
		}
		var r session.Reason
		if err := json.Unmarshal(text, &r); err != nil {
			return damaged("reason", owner, err)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := each(ctx, tx, `SELECT owner, class FROM wake`, func(rows *sql.Rows) error {
		var owner, class string
		if err := rows.Scan(&owner, &class); err != nil {
			return err
		}
		if _, err := session.ParseClass(class); err != nil {
			return damaged("wake", owner, err)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, c := range []struct{ table, query, wrong string }{
		{"wake", `SELECT owner FROM wake WHERE owner NOT IN (SELECT key FROM owner) LIMIT 1`, "it has no owner"},
		{"reason", `SELECT owner FROM reason WHERE owner NOT IN (SELECT key FROM owner) LIMIT 1`, "it has no owner"},
		{"reason", `SELECT owner FROM reason JOIN owner ON key=owner WHERE n<1 OR n>record LIMIT 1`, "its number was not given"},
		{"reason", fmt.Sprintf(`SELECT owner FROM reason GROUP BY owner HAVING count(*)>%d LIMIT 1`, store.MaxReasons), "there are too many of this owner"},
	} {
		if err := each(ctx, tx, c.query, func(rows *sql.Rows) error {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			return damaged(c.table, key, errors.New(c.wrong))
		}); err != nil {
			return err
		}
	}
	return nil
}

func verifyOwner(rows *sql.Rows, sum *counts, largest *int64) error {
	var key, host string
	var version int64
	var have counts
	var state []byte
	h := &have.sessions
	if err := rows.Scan(&key, &host, &version, &h[session.Active], &h[session.Inactive], &h[session.Delayed], &h[session.Hibernated], &have.endpoints, &state); err != nil {
		return err
	}
	a, err := decode(key, state)
	if err != nil {
		return err
	}
	if want := count(a); have != want {
		return damaged("owner", key, fmt.Errorf("its columns count %v, its state %v", have, want))
	}
	if host != store.Host(key) {
		return damaged("owner", key, fmt.Errorf("it is filed under host %q", host))
	}
	sum.add(have, 1)
	*largest = max(*largest, version)
	return nil
}

func each(ctx context.Context, tx *sql.Tx, query string, do func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
