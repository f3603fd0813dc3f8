package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rouse/store"
)

// Reporter reads how far a server module has come.
func (s *Store) Reporter(ctx context.Context, host string) (store.Reporter, error) {
	r := store.Reporter{Host: host}
	err := s.read(ctx, `SELECT epoch, seq, wanted, picture FROM reporter WHERE host=?`, []any{host}, func(rows *sql.Rows) error {
		var epoch, seq, picture int64
		err := rows.Scan(&epoch, &seq, &r.Wanted, &picture)
		r.Epoch, r.Seq, r.Picture = uint64(epoch), uint64(seq), uint64(picture)
		return err
	})
	return r, err
}

// SetReporter writes after in the place of before.
func (s *Store) SetReporter(ctx context.Context, before, after store.Reporter) error {
	if before.Host != after.Host {
		return fmt.Errorf("store: a reporter of %s in the place of one of %s", after.Host, before.Host)
	}
	return s.write(ctx, func(t *tx) error {
		stored, err := t.reporter(before.Host)
		if err != nil {
			return err
		}
		if stored != before {
			return store.ErrConflict
		}
		return t.setReporter(after)
	})
}

func (t *tx) reporter(host string) (store.Reporter, error) {
	r := store.Reporter{Host: host}
	var epoch, seq, picture int64
	err := t.row(`SELECT epoch, seq, wanted, picture FROM reporter WHERE host=?`, []any{host}, &epoch, &seq, &r.Wanted, &picture)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	r.Epoch, r.Seq, r.Picture = uint64(epoch), uint64(seq), uint64(picture)
	return r, err
}

func (t *tx) setReporter(r store.Reporter) error {
	if r == (store.Reporter{Host: r.Host}) { // a node that is gone
		return t.exec(`DELETE FROM reporter WHERE host=?`, r.Host)
	}
	return t.exec(`INSERT OR REPLACE INTO reporter(host, epoch, seq, wanted, picture) VALUES(?,?,?,?,?)`, r.Host, int64(r.Epoch), int64(r.Seq), r.Wanted, int64(r.Picture))
}

// Keep keeps the first value given under a name.
func (s *Store) Keep(ctx context.Context, name, value string) (string, error) {
	var kept string
	err := s.write(ctx, func(t *tx) error {
		if value != "" {
			if err := t.exec(`INSERT OR IGNORE INTO meta(name, value) VALUES(?,?)`, name, value); err != nil {
				return err
			}
		}
		err := t.row(`SELECT value FROM meta WHERE name=?`, []any{name}, &kept)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return kept, nil
}
