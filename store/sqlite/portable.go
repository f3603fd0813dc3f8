package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"rouse/store"
)

// Items reads page by page, owners one by one.
func (s *Store) Items(ctx context.Context) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for _, part := range []iter.Seq2[store.Item, error]{s.kept(ctx), s.allReporters(ctx), s.registrations(ctx), s.owners(ctx)} {
			for item, err := range part {
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// paged gives what a query of a table finds behind the key `after`, which it puts
// out first, until nothing more is there.
func (s *Store) paged(ctx context.Context, query string, scan func(*sql.Rows, *store.Item) (key string, err error)) iter.Seq2[store.Item, error] {
	const page = 500
	return func(yield func(store.Item, error) bool) {
		for after, more := "", true; more; {
			var items []store.Item
			err := s.read(ctx, query, []any{after, page}, func(rows *sql.Rows) error {
				var item store.Item
				var err error
				after, err = scan(rows, &item)
				items = append(items, item)
				return err
			})
			if err != nil {
				yield(store.Item{}, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			more = len(items) == page
		}
	}
}

func (s *Store) kept(ctx context.Context) iter.Seq2[store.Item, error] {
	return s.paged(ctx, `SELECT name, value FROM meta WHERE name>? ORDER BY name LIMIT ?`, func(rows *sql.Rows, i *store.Item) (string, error) {
		err := rows.Scan(&i.Name, &i.Value)
		return i.Name, err
	})
}

func (s *Store) allReporters(ctx context.Context) iter.Seq2[store.Item, error] {
	return s.paged(ctx, `SELECT host, epoch, seq, wanted, picture FROM reporter WHERE host>? ORDER BY host LIMIT ?`, func(rows *sql.Rows, i *store.Item) (string, error) {
		var epoch, seq, picture int64
		r := &i.Reporter
		err := rows.Scan(&r.Host, &epoch, &seq, &r.Wanted, &picture)
		r.Epoch, r.Seq, r.Picture = uint64(epoch), uint64(seq), uint64(picture)
		return r.Host, err
	})
}

func (s *Store) registrations(ctx context.Context) iter.Seq2[store.Item, error] {
	return s.paged(ctx, `SELECT node, `+registrationColumns+` FROM registration WHERE node>? ORDER BY node LIMIT ?`, func(rows *sql.Rows, i *store.Item) (string, error) {
		r := &i.Registration
		return r.Node, scanRegistration(rows, r, &r.Node)
	})
}

func (s *Store) owners(ctx context.Context) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		keys := s.paged(ctx, `SELECT key FROM owner WHERE key>? ORDER BY key LIMIT ?`, func(rows *sql.Rows, i *store.Item) (string, error) {
			err := rows.Scan(&i.Owner.Key)
			return i.Owner.Key, err
		})
		for item, err := range keys {
			if err == nil {
				item.Owner, err = s.Load(ctx, item.Owner.Key)
			}
			if err == nil {
				item.Reasons, err = s.Reasons(ctx, item.Owner.Key, time.Time{})
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Put writes all of them in one commit.
func (s *Store) Put(ctx context.Context, items []store.Item) error {
	var put []func(*tx) error
	for _, i := range items {
		switch {
		case i.Owner.Key != "":
			d, err := encode(store.Commit{Key: i.Owner.Key, Account: i.Owner.Account, Put: i.Owner.Account.Pending, Reasons: i.Reasons})
			if err != nil {
				return err
			}
			put = append(put, d.replace)
		case i.Registration.Node != "":
			put = append(put, func(t *tx) error { return t.register(i.Registration) })
		case i.Reporter.Host != "":
			put = append(put, func(t *tx) error { return t.setReporter(i.Reporter) })
		case i.Name != "":
			put = append(put, func(t *tx) error {
				if i.Value == "" {
					return t.exec(`DELETE FROM meta WHERE name=?`, i.Name)
				}
				return t.exec(`INSERT OR REPLACE INTO meta(name, value) VALUES(?,?)`, i.Name, i.Value)
			})
		default:
			return errors.New("store: an item that is nothing")
		}
	}
	return s.write(ctx, func(t *tx) error {
		for _, p := range put {
			if err := p(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// replace writes an owner over the one that is there.
func (d *decision) replace(t *tx) error {
	var version int64
	switch err := t.row(`SELECT version FROM owner WHERE key=?`, []any{d.key}, &version); err {
	case nil:
		old := &decision{key: d.key, from: uint64(version), forget: true}
		if err := old.commit(t); err != nil {
			return err
		}
	case sql.ErrNoRows:
	default:
		return err
	}
	return d.commit(t)
}
