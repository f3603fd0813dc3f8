package snapshot

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"rouse/directory"
)

// version of the format.
const version = 1

const schema = `
CREATE TABLE entry (
  sync TEXT PRIMARY KEY, -- UUID of the server's stream, in hex
  body TEXT NOT NULL     -- directory.Entry as JSON
) WITHOUT ROWID;
CREATE TABLE event (
  n    INTEGER PRIMARY KEY AUTOINCREMENT,
  key  TEXT NOT NULL UNIQUE,
  body TEXT NOT NULL     -- directory.Event as JSON
);
CREATE TABLE told (
  key TEXT PRIMARY KEY,
  at  INTEGER NOT NULL   -- seconds since 1970
) WITHOUT ROWID;
CREATE TABLE state (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
`

// DB is a snapshot. One process has it; its methods may be called by several
// goroutines.
type DB struct {
	db *sql.DB
}

// State is how far the observation has come.
type State struct {
	Source   string    `json:"source"`            // what is observed: server's kind, base, filter. Another one begins anew
	Cookie   string    `json:"cookie,omitempty"`  // of RFC 4533 §2.2, in base64; empty: the next refresh is a full one
	Refresh  int64     `json:"refresh"`           // number of the last refresh, 0: there was none
	Baseline time.Time `json:"baseline,omitzero"` // when the first refresh was complete: what was before that is no news
	Complete time.Time `json:"complete,omitzero"` // when the last full refresh was
	Guard    string    `json:"guard,omitempty"`   // why the last refresh was not believed
	Server   string    `json:"server,omitempty"`  // that was followed last: it has counts of failed logins of its own
	Degraded time.Time `json:"degraded,omitzero"` // since when nothing is followed, if that was told
	Swept    time.Time `json:"swept,omitzero"`    // when was last looked for locks that ended
	Polled   []string  `json:"polled,omitempty"`  // servers that were asked for locks: what is locked there at first is no news
}

// Open opens a snapshot, and makes it where there is none.
func Open(ctx context.Context, file string) (*DB, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
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

// State gives how far the observation has come.
func (d *DB) State(ctx context.Context) (s State, err error) {
	var text string
	switch err := d.db.QueryRowContext(ctx, "SELECT value FROM state WHERE name = 'state'").Scan(&text); {
	case errors.Is(err, sql.ErrNoRows):
		return s, nil
	case err != nil:
		return s, err
	}
	return s, json.Unmarshal([]byte(text), &s)
}

const accept = "accept"

// Accept has the next refresh believed, however much is gone.
func (d *DB) Accept(ctx context.Context) error {
	_, err := d.db.ExecContext(ctx, "INSERT INTO state (name, value) VALUES (?, '') ON CONFLICT DO NOTHING", accept)
	return err
}

// Accepted reports whether somebody did; with take it counts no more.
func (d *DB) Accepted(ctx context.Context, take bool) (is bool, err error) {
	if !take {
		err = d.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM state WHERE name = ?", accept).Scan(&is)
		return is, err
	}
	r, err := d.db.ExecContext(ctx, "DELETE FROM state WHERE name = ?", accept)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// Copy writes all that there is into another file.
func (d *DB) Copy(ctx context.Context, file string) error {
	_, err := d.db.ExecContext(ctx, "VACUUM INTO ?", file)
	return err
}

// Entries calls each for all entries.
func (d *DB) Entries(ctx context.Context, each func(*directory.Entry) error) error {
	rows, err := d.db.QueryContext(ctx, "SELECT body FROM entry")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e := new(directory.Entry)
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal(text, e); err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Step is what is written together.
type Step struct {
	Put    []*directory.Entry
	Drop   []string // by Sync
	Clear  bool     // all entries before that
	Events []directory.Event
	Told   map[string]time.Time // keys that are told without being events now
	State  State
}

// Commit writes a step. An event whose key was told before is left out; fresh are those
// that were not.
func (d *DB) Commit(ctx context.Context, s Step, now time.Time) (fresh []directory.Event, err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // nothing after Commit
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	if s.Clear {
		exec("DELETE FROM entry")
	}
	for _, e := range s.Put {
		text, bad := json.Marshal(e)
		if bad != nil {
			return nil, bad
		}
		exec("INSERT INTO entry (sync, body) VALUES (?, ?) ON CONFLICT (sync) DO UPDATE SET body = excluded.body", e.Sync, string(text))
	}
	for _, sync := range s.Drop {
		exec("DELETE FROM entry WHERE sync = ?", sync)
	}
	for key, at := range s.Told {
		exec("INSERT INTO told (key, at) VALUES (?, ?) ON CONFLICT DO NOTHING", key, at.Unix())
	}
	for i := range s.Events {
		e := &s.Events[i]
		if err != nil {
			break
		}
		r, bad := tx.ExecContext(ctx, "INSERT INTO told (key, at) VALUES (?, ?) ON CONFLICT DO NOTHING", e.Key, now.Unix())
		if bad != nil {
			return nil, bad
		}
		if n, bad := r.RowsAffected(); bad != nil || n == 0 {
			err = bad
			continue
		}
		text, bad := json.Marshal(e)
		if bad != nil {
			return nil, bad
		}
		exec("INSERT INTO event (key, body) VALUES (?, ?)", e.Key, string(text))
		fresh = append(fresh, *e)
	}
	text, bad := json.Marshal(s.State)
	if bad != nil {
		return nil, bad
	}
	exec("INSERT INTO state (name, value) VALUES ('state', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", string(text))
	if err != nil {
		return nil, err
	}
	return fresh, tx.Commit()
}

// Waiting is an event that nobody has dealt with.
type Waiting struct {
	N int64
	directory.Event
}

// Events gives the oldest events that nobody has dealt with.
func (d *DB) Events(ctx context.Context, most int) (list []Waiting, err error) {
	rows, err := d.db.QueryContext(ctx, "SELECT n, body FROM event ORDER BY n LIMIT ?", most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w Waiting
		var text []byte
		if err := rows.Scan(&w.N, &text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &w.Event); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// Done takes events out that were dealt with.
func (d *DB) Done(ctx context.Context, list ...int64) error {
	for _, n := range list {
		if _, err := d.db.ExecContext(ctx, "DELETE FROM event WHERE n = ?", n); err != nil {
			return err
		}
	}
	return nil
}

// Told gives the keys of events that were told.
func (d *DB) Told(ctx context.Context) (map[string]bool, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT key FROM told")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	keys := make(map[string]bool)
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys[key] = true
	}
	return keys, rows.Err()
}

// Forget takes out the keys that were told before a time: nothing comes again by then.
func (d *DB) Forget(ctx context.Context, before time.Time) error {
	_, err := d.db.ExecContext(ctx, "DELETE FROM told WHERE at < ?", before.Unix())
	return err
}
