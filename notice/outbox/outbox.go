package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"rouse/notice"
)

// version of the format.
const version = 1

const schema = `
CREATE TABLE notice (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  at      INTEGER NOT NULL,           -- milliseconds since 1970, when it came
  planned INTEGER NOT NULL DEFAULT 0, -- whether it has its deliveries
  body    TEXT NOT NULL               -- notice.Notice as JSON
);
CREATE INDEX unplanned ON notice (n) WHERE planned = 0;
CREATE TABLE delivery (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  notice  INTEGER NOT NULL REFERENCES notice (n) ON DELETE CASCADE,
  context TEXT NOT NULL,
  address TEXT NOT NULL,
  lane    TEXT NOT NULL,
  role    TEXT NOT NULL,
  filter  TEXT NOT NULL,
  text    TEXT NOT NULL,
  state   TEXT NOT NULL,              -- waiting, told, failed
  tries   INTEGER NOT NULL DEFAULT 0,
  due     INTEGER NOT NULL,           -- milliseconds since 1970
  ended   INTEGER NOT NULL DEFAULT 0,
  why     TEXT NOT NULL DEFAULT '',
  UNIQUE (notice, context, address)
);
CREATE INDEX waiting ON delivery (context, lane, n) WHERE state = 'waiting';
CREATE INDEX address ON delivery (address, n);
CREATE TABLE preference (
  account TEXT PRIMARY KEY, -- bare JID
  body    TEXT NOT NULL     -- notice.Preferences as JSON
) WITHOUT ROWID;
`

// DB is an outbox. One process has it; its methods may be called by several goroutines.
type DB struct{ db *sql.DB }

// Open opens an outbox, and makes it where there is none.
func Open(ctx context.Context, file string) (*DB, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	var has int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&has); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file, err), db.Close())
	}
	switch {
	case has > version:
		return nil, errors.Join(fmt.Errorf("%s: was written by a newer rouse (format %d, this one knows %d)", file, has, version), db.Close())
	case has == 0:
		if _, err := db.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", file, err), db.Close())
		}
	}
	return &DB{db}, nil
}

// Close ends it.
func (d *DB) Close() error { return d.db.Close() }

// Add takes notices, all or none. Those whose ID is known are passed over.
func (d *DB) Add(ctx context.Context, at time.Time, list ...notice.Notice) (fresh int, err error) {
	err = d.write(ctx, func(tx *sql.Tx) error {
		for _, n := range list {
			text, err := json.Marshal(n)
			if err != nil {
				return err
			}
			r, err := tx.ExecContext(ctx, "INSERT INTO notice (id, at, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", n.ID, at.UnixMilli(), string(text))
			if err != nil {
				return err
			}
			added, err := r.RowsAffected()
			if err != nil {
				return err
			}
			fresh += int(added)
		}
		return nil
	})
	return fresh, err
}

func (d *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// rows reads what a query gives, one after the other.
func rows[T any](ctx context.Context, d *DB, read func(scan func(...any) error) (T, error), query string, args ...any) (list []T, err error) {
	r, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		one, err := read(r.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, r.Err()
}

// Numbered is a notice with its place in the outbox.
type Numbered struct {
	N int64
	notice.Notice
}

// Unplanned gives the oldest notices of which nobody knows yet who is to be told.
func (d *DB) Unplanned(ctx context.Context, most int) ([]Numbered, error) {
	return rows(ctx, d, numbered, "SELECT n, body FROM notice WHERE planned = 0 ORDER BY n LIMIT ?", most)
}

// Lately gives the newest notices, newest first.
func (d *DB) Lately(ctx context.Context, most int) ([]Numbered, error) {
	return rows(ctx, d, numbered, "SELECT n, body FROM notice ORDER BY n DESC LIMIT ?", most)
}

func numbered(scan func(...any) error) (n Numbered, err error) {
	var text []byte
	if err = scan(&n.N, &text); err == nil {
		err = json.Unmarshal(text, &n.Notice)
	}
	return n, err
}

// Plan writes who is to be told of a notice.
func (d *DB) Plan(ctx context.Context, n int64, list []notice.Delivery, now time.Time) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, e := range list {
			state, ended := Waiting, int64(0)
			if e.Fate != "" {
				state, ended = Failed, now.UnixMilli()
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO delivery (notice, context, address, lane, role, filter, text, state, due, ended, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
				n, e.Context, e.Address, e.Lane, string(e.Role), e.Filter, e.Text, string(state), now.UnixMilli(), ended, e.Fate); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE notice SET planned = 1 WHERE n = ?", n)
		return err
	})
}
