package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"rouse/session"
	"rouse/store"
)

// Load is one statement, so that state and wakes are of the same moment.
func (s *Store) Load(ctx context.Context, key string) (store.Owner, error) {
	o := store.Owner{Key: key}
	var state []byte
	pending := make(map[session.WakeKey]session.Wake)
	err := s.read(ctx, `SELECT version, state, service, node, class, due, lease, serial, count, sent, attempt, rule, since
		FROM owner LEFT JOIN wake ON wake.owner=owner.key WHERE key=?`, []any{key}, func(rows *sql.Rows) error {
		var version int64
		var service, node, class, rule sql.NullString
		var due, lease, serial, count, sent, attempt, since sql.NullInt64
		if err := rows.Scan(&version, &state, &service, &node, &class, &due, &lease, &serial, &count, &sent, &attempt, &rule, &since); err != nil {
			return err
		}
		o.Version = uint64(version)
		if !class.Valid {
			return nil
		}
		c, err := session.ParseClass(class.String)
		if err != nil {
			return damaged("wake", key, err)
		}
		pending[session.WakeKey{Address: session.Address{Service: service.String, Node: node.String}, Class: c}] = session.Wake{
			Serial: uint64(serial.Int64), Count: int(count.Int64), Rule: rule.String, Since: moment(since.Int64), Due: moment(due.Int64),
			Attempt: int(attempt.Int64), Lease: moment(lease.Int64), Sent: int(sent.Int64),
		}
		return nil
	})
	if err != nil {
		return store.Owner{}, err
	}
	if o.Account, err = decode(key, state); err != nil {
		return store.Owner{}, explain(s.path, err)
	}
	o.Account.Pending = pending
	return o, nil
}

// decode reads a state; nil is that of an owner who is not stored.
func decode(key string, state []byte) (session.Account, error) {
	var a session.Account
	if state != nil {
		if err := json.Unmarshal(state, &a); err != nil {
			return a, damaged("owner", key, err)
		}
	}
	return a.Clone(), nil // with no map nil
}

// damaged tells of a row that SQLite reads and we cannot.
func damaged(table, key string, err error) error {
	return fmt.Errorf("table %s, row %q: %w", table, key, err)
}

// Commit encodes in the caller's goroutine, so the writer only writes.
func (s *Store) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	d, err := encode(c)
	if err != nil {
		return 0, err
	}
	if err := s.write(ctx, d.commit); err != nil {
		return 0, err
	}
	return d.version, nil
}

// decision is a commit as it goes into the file. It shares nothing with the
// caller, who may have given up waiting when the writer comes to it.
type decision struct {
	key     string
	from    uint64 // the version that was decided on
	forget  bool
	state   []byte
	counts  counts
	put     map[session.WakeKey]session.Wake
	drop    []session.WakeKey
	reasons []line
	version uint64 // the one that was given
}

// line is a reason, encoded.
type line struct {
	at   int64
	text []byte
}

func encode(c store.Commit) (*decision, error) {
	d := &decision{key: c.Key, from: c.Version, forget: c.Forget}
	if c.Key == "" {
		return nil, errors.New("store: commit without an owner's key")
	}
	if c.Forget {
		return d, nil
	}
	for id, s := range c.Account.Sessions {
		if s.State >= session.NumStates {
			return nil, fmt.Errorf("store: session %s of %s has %s", id, c.Key, s.State)
		}
	}
	for k := range c.Put {
		if k.Class >= session.NumClasses {
			return nil, fmt.Errorf("store: wake of %s has %s", c.Key, k.Class)
		}
	}
	var err error
	if d.state, err = json.Marshal(c.Account); err != nil {
		return nil, fmt.Errorf("store: state of %s: %w", c.Key, err)
	}
	d.counts, d.put, d.drop = count(c.Account), maps.Clone(c.Put), slices.Clone(c.Drop)
	for _, r := range c.Reasons[max(0, len(c.Reasons)-store.MaxReasons):] {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("store: reason of %s: %w", c.Key, err)
		}
		d.reasons = append(d.reasons, line{nanos(r.At), text})
	}
	return d, nil
}

func (d *decision) commit(t *tx) error {
	var id, version, record int64
	var old counts
	o := &old.sessions
	err := t.row(`SELECT id, version, record, active, inactive, delayed, hibernated, endpoints FROM owner WHERE key=?`, []any{d.key},
		&id, &version, &record, &o[session.Active], &o[session.Inactive], &o[session.Delayed], &o[session.Hibernated], &old.endpoints)
	stored := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if uint64(version) != d.from {
		return store.ErrConflict
	}
	t.change.add(old, -1)
	if d.forget {
		return d.remove(t, id)
	}
	t.change.add(d.counts, 1)
	d.version = t.version()
	n := &d.counts.sessions
	last := record + int64(len(d.reasons))
	if stored {
		err = t.exec(`UPDATE owner SET version=?, record=?, active=?, inactive=?, delayed=?, hibernated=?, endpoints=?, state=CAST(? AS TEXT) WHERE id=?`,
			int64(d.version), last, n[session.Active], n[session.Inactive], n[session.Delayed], n[session.Hibernated], d.counts.endpoints, d.state, id)
	} else {
		err = t.exec(`INSERT INTO owner(key, host, version, record, active, inactive, delayed, hibernated, endpoints, state) VALUES(?,?,?,?,?,?,?,?,?,CAST(? AS TEXT))`,
			d.key, store.Host(d.key), int64(d.version), last, n[session.Active], n[session.Inactive], n[session.Delayed], n[session.Hibernated], d.counts.endpoints, d.state)
	}
	if err != nil {
		return err
	}
	if err := d.wakes(t); err != nil {
		return err
	}
	return d.record(t, record)
}

func (d *decision) remove(t *tx, id int64) error {
	for _, q := range []string{`DELETE FROM wake WHERE owner=?`, `DELETE FROM reason WHERE owner=?`} {
		if err := t.exec(q, d.key); err != nil {
			return err
		}
	}
	return t.exec(`DELETE FROM owner WHERE id=?`, id)
}

func (d *decision) wakes(t *tx) error {
	for _, k := range d.drop {
		if err := t.exec(`DELETE FROM wake WHERE owner=? AND service=? AND node=? AND class=?`, d.key, k.Service, k.Node, k.Class.String()); err != nil {
			return err
		}
	}
	for k, w := range d.put {
		if err := t.exec(`INSERT OR REPLACE INTO wake(owner, service, node, class, due, lease, serial, count, sent, attempt, rule, since) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)`,
			d.key, k.Service, k.Node, k.Class.String(), nanos(w.Due), nanos(w.Lease), int64(w.Serial), w.Count, w.Sent, w.Attempt, w.Rule, nanos(w.Since)); err != nil {
			return err
		}
	}
	return nil
}

// Owners reads page by page: no connection and no snapshot is held while the
// caller works.
func (s *Store) Owners(ctx context.Context, host string) iter.Seq2[string, error] {
	const page = 500
	return func(yield func(string, error) bool) {
		keys := make([]string, 0, page)
		for after := ""; ; after = keys[page-1] {
			keys = keys[:0]
			err := s.read(ctx, `SELECT key FROM owner WHERE host=? AND key>? ORDER BY key LIMIT ?`, []any{host, after, page}, func(rows *sql.Rows) error {
				var key string
				err := rows.Scan(&key)
				keys = append(keys, key)
				return err
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if len(keys) < page {
				return
			}
		}
	}
}
