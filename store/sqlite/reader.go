package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"rouse/store"
)

// readers are connections that can only read, with their prepared statements.
type readers struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt // as many as there are queries in this package
}

func (r *readers) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.stmts[query]; ok {
		return s, nil
	}
	s, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.stmts[query] = s
	return s, nil
}

// read runs a query and calls each for every row.
func (s *Store) read(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	return s.readError(ctx, s.query(ctx, query, args, each))
}

// readError tells a store that was closed from one that fails.
func (s *Store) readError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return explain(s.path, err)
}

func (s *Store) query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	st, err := s.readers.stmt(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// nanos is a time as it lies in a column.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the reverse of nanos.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
