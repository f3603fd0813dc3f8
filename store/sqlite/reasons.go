package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"rouse/session"
	"rouse/store"
)

// Reasons reads the record of an owner.
func (s *Store) Reasons(ctx context.Context, key string, since time.Time) ([]session.Reason, error) {
	var out []session.Reason
	err := s.read(ctx, `SELECT reason FROM reason WHERE owner=? AND at>=? ORDER BY n`, []any{key, nanos(since)}, func(rows *sql.Rows) error {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var r session.Reason
		if err := json.Unmarshal(text, &r); err != nil {
			return damaged("reason", key, err)
		}
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// record writes the reasons behind the owner's last, and takes away those that
// are too many. Both ends are found by their numbers, nothing is searched.
func (d *decision) record(t *tx, last int64) error {
	for i, r := range d.reasons {
		if len(d.reasons)-i > t.w.keep {
			continue
		}
		if err := t.exec(`INSERT INTO reason(owner, n, at, reason) VALUES(?,?,?,CAST(? AS TEXT))`, d.key, last+1+int64(i), r.at, r.text); err != nil {
			return err
		}
		t.newest = max(t.newest, r.at)
		t.added++
	}
	first := last + int64(len(d.reasons)) - int64(t.w.keep)
	if len(d.reasons) == 0 || first <= 0 {
		return nil
	}
	return t.exec(`DELETE FROM reason WHERE owner=? AND n<=?`, d.key, first)
}

// record is what the writer knows of the reasons of all owners.
type record struct {
	newest int64 // time of the newest
	due    int64 // nothing is too old before newest passes it
	added  int   // by this group
}

func (r *record) add(t tx) {
	r.newest = max(r.newest, t.newest)
	r.added += t.added
}

// trim takes away reasons that are too old by the newest, at most twice as many
// as the group wrote: it keeps up, and no commit pays for a long silence.
func (w *writer) trim() error {
	r := &w.record
	if r.added == 0 || r.newest < r.due {
		return nil
	}
	horizon := r.newest - int64(store.ReasonAge)
	if err := w.exec(`DELETE FROM reason WHERE id IN (SELECT id FROM reason ORDER BY id LIMIT ?) AND at<?`, 2*r.added, horizon); err != nil {
		return err
	}
	t := tx{w: w}
	var oldest int64
	if err := t.row(`SELECT at FROM reason ORDER BY id LIMIT 1`, nil, &oldest); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}
	r.due = oldest + int64(store.ReasonAge)
	return nil
}
