package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"rouse/session"
	"rouse/store"
)

const (
	registrationColumns = `app, token, device, domain, updated, dead, died, family, account, channel, calls`
	selectRegistration  = `SELECT ` + registrationColumns + ` FROM registration WHERE node=?`
)

type scanner interface{ Scan(...any) error }

// scanRegistration reads registrationColumns, and what stands before them.
func scanRegistration(row scanner, r *session.Registration, before ...any) error {
	var updated, died int64
	err := row.Scan(append(before, &r.App, &r.Token, &r.Device, &r.Domain, &updated, &r.Dead, &died, &r.Family, &r.Account, &r.Channel, &r.Calls)...)
	r.Updated, r.Died = moment(updated), moment(died)
	return err
}

// Registration reads one, live or dead.
func (s *Store) Registration(ctx context.Context, node string) (session.Registration, error) {
	r, found := session.Registration{Node: node}, false
	err := s.read(ctx, selectRegistration, []any{node}, func(rows *sql.Rows) error {
		found = true
		return scanRegistration(rows, &r)
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return session.Registration{}, err
	}
	return r, nil
}

// Register writes it whole.
func (s *Store) Register(ctx context.Context, r session.Registration) error {
	if r.Node == "" {
		return errors.New("store: registration without a node")
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.expire(r.Updated); err != nil {
			return err
		}
		return t.register(r)
	})
}

func (t *tx) register(r session.Registration) error {
	return t.exec(`INSERT OR REPLACE INTO registration(node, `+registrationColumns+`) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)`,
		r.Node, r.App, r.Token, r.Device, r.Domain, nanos(r.Updated), r.Dead, nanos(r.Died), r.Family, r.Account, r.Channel, r.Calls)
}

func (t *tx) registration(node string) (session.Registration, error) {
	st, err := t.w.stmt(selectRegistration)
	if err != nil {
		return session.Registration{}, err
	}
	r := session.Registration{Node: node}
	err = scanRegistration(st.QueryRowContext(context.Background(), node), &r)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return r, err
}

// Bury marks a registration dead, unless it is dead or newer than at.
func (s *Store) Bury(ctx context.Context, node, reason string, at time.Time) (session.Registration, error) {
	return s.end(ctx, node, reason, at, func(r *session.Registration) bool {
		if !r.Live() || r.Updated.After(at) {
			return false
		}
		r.Dead, r.Died = reason, moment(nanos(at))
		return true
	})
}

// Unregister leaves a tombstone: what tells of the device and its user goes.
func (s *Store) Unregister(ctx context.Context, node, reason string, at time.Time) error {
	_, err := s.end(ctx, node, reason, at, func(r *session.Registration) bool {
		if !r.Live() && r.Token == "" {
			return false
		}
		r.Dead, r.Died = reason, moment(nanos(at))
		*r = r.Tombstone()
		return true
	})
	return err
}

// end writes the registration if change says that it changed it.
func (s *Store) end(ctx context.Context, node, reason string, at time.Time, change func(*session.Registration) bool) (session.Registration, error) {
	if reason == "" {
		return session.Registration{}, fmt.Errorf("store: the end of a registration needs a reason")
	}
	var after session.Registration
	err := s.write(ctx, func(t *tx) error {
		if err := t.expire(at); err != nil {
			return err
		}
		var err error
		if after, err = t.registration(node); err != nil {
			return err
		}
		if !change(&after) {
			return nil
		}
		return t.register(after)
	})
	if err != nil {
		return session.Registration{}, err
	}
	return after, nil
}

// expire takes away tombstones that are old enough by the caller's clock.
func (t *tx) expire(now time.Time) error {
	return t.exec(`DELETE FROM registration WHERE token='' AND dead<>'' AND died<?`, nanos(now.Add(-store.TombstoneAge)))
}

// Registrations reads page by page.
func (s *Store) Registrations(ctx context.Context) iter.Seq2[session.Registration, error] {
	return func(yield func(session.Registration, error) bool) {
		for item, err := range s.registrations(ctx) {
			if !yield(item.Registration, err) {
				return
			}
		}
	}
}

// CountRegistrations looks at every registration: it is for metrics, which ask seldom.
func (s *Store) CountRegistrations(ctx context.Context) (map[store.RegistrationKind]int, error) {
	kinds := make(map[store.RegistrationKind]int)
	err := s.read(ctx, `SELECT app, dead<>'', count(*) FROM registration WHERE token<>'' GROUP BY 1, 2`, nil, func(rows *sql.Rows) error {
		var k store.RegistrationKind
		var n int
		if err := rows.Scan(&k.App, &k.Dead, &n); err != nil {
			return err
		}
		kinds[k] = n
		return nil
	})
	return kinds, err
}
