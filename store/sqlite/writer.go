package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"

	"rouse/session"
	"rouse/store"
)

// maxGroup bounds what one commit holds, and so how long its first waits.
const maxGroup = 256

// job is one decision on its way through the writer.
type job struct {
	ctx  context.Context
	run  func(*tx) error
	err  error
	done chan error // room for one, so the writer never waits for a caller
}

// write runs a decision in a savepoint of its own and returns once it is on the
// disk. If ctx ends while it waits, it may still get there.
func (s *Store) write(ctx context.Context, run func(*tx) error) error {
	j := &job{ctx: ctx, run: run, done: make(chan error, 1)}
	if err := s.enter(j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return explain(s.path, err)
	case <-ctx.Done():
		return fmt.Errorf("%s: waiting for the disk, what was to be stored may be or not: %w", s.path, ctx.Err())
	}
}

func (s *Store) enter(j *job) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	select {
	case s.queue <- j:
		return nil
	case <-j.ctx.Done():
		return fmt.Errorf("%s: waiting for the writer: %w", s.path, j.ctx.Err())
	}
}

// writer is the one goroutine that writes. Its statements run without a
// caller's context: what one caller gives up must not break off what it shares
// with others.
type writer struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	group int
	keep  int // reasons of an owner
	stats func(decisions, commits uint64)

	jobs   []*job
	serial uint64 // newest version given
	kept   uint64 // of which the file knows
	sum    counts // change of the sums by this group
	record record
}

func newWriter(ctx context.Context, conn *sql.Conn, group, keep int) (*writer, error) {
	w := &writer{conn: conn, stmts: make(map[string]*sql.Stmt), group: group, keep: keep}
	if err := conn.QueryRowContext(ctx, `SELECT serial FROM counter`).Scan(&w.serial); err != nil {
		return nil, err
	}
	w.kept = w.serial
	return w, nil
}

func (w *writer) run(queue <-chan *job) {
	// The pool does not know of statements that were prepared on one connection,
	// and SQLite keeps a connection alive until its last statement is gone.
	defer func() {
		for _, s := range w.stmts {
			s.Close()
		}
	}()
	for j := range queue {
		w.together(j, queue)
	}
}

// together commits the first decision with all that wait behind it.
func (w *writer) together(first *job, queue <-chan *job) {
	w.sum, w.record.added = counts{}, 0
	err := w.exec(`BEGIN IMMEDIATE`)
	for j, more := first, true; more; j, more = w.next(queue) {
		w.jobs = append(w.jobs, j)
		if err == nil {
			err = w.decide(j)
		}
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		_ = w.exec(`ROLLBACK`) // SQLite may have done it
	} else {
		w.stats(uint64(len(w.jobs)), 1)
	}
	for _, j := range w.jobs {
		if err != nil {
			j.err = err
		}
		j.done <- j.err
	}
	clear(w.jobs)
	w.jobs = w.jobs[:0]
}

// next gives what waits. Where nothing does it lets others run once: the callers
// that the last commit answered are about to come back, and a commit costs more
// than their way here.
func (w *writer) next(queue <-chan *job) (*job, bool) {
	if len(w.jobs) >= w.group {
		return nil, false
	}
	select {
	case j, ok := <-queue:
		return j, ok
	default:
	}
	runtime.Gosched()
	select {
	case j, ok := <-queue:
		return j, ok
	default:
		return nil, false
	}
}

// decide runs one decision. What it returns is fatal for the whole group.
func (w *writer) decide(j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	if err := w.exec(`SAVEPOINT decision`); err != nil {
		return err
	}
	t := tx{w: w}
	if j.err = j.run(&t); j.err != nil {
		if w.exec(`ROLLBACK TO decision`) != nil {
			return j.err // SQLite took back all of it
		}
	} else {
		w.sum.add(t.change, 1)
		w.record.add(t)
	}
	return w.exec(`RELEASE decision`)
}

func (w *writer) commit() error {
	if err := w.trim(); err != nil {
		return err
	}
	if w.serial != w.kept || w.sum != (counts{}) {
		d := &w.sum.sessions
		if err := w.exec(`UPDATE counter SET serial=?, active=active+?, inactive=inactive+?, delayed=delayed+?, hibernated=hibernated+?, endpoints=endpoints+?`,
			int64(w.serial), d[session.Active], d[session.Inactive], d[session.Delayed], d[session.Hibernated], w.sum.endpoints); err != nil {
			return err
		}
	}
	if err := w.exec(`COMMIT`); err != nil {
		return err
	}
	w.kept = w.serial
	return nil
}

// stmt gives the prepared statement for a query; there are as many as there are
// queries in this package.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) exec(query string, args ...any) error {
	s, err := w.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), args...)
	return err
}

// tx is what a decision sees of the shared transaction.
type tx struct {
	w      *writer
	change counts
	newest int64 // time of the newest reason written
	added  int   // reasons written
}

func (t *tx) exec(query string, args ...any) error { return t.w.exec(query, args...) }

func (t *tx) row(query string, args []any, into ...any) error {
	s, err := t.w.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(context.Background(), args...).Scan(into...)
}

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) {
	s, err := t.w.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

// version gives a version that no owner had before.
func (t *tx) version() uint64 {
	t.w.serial++
	return t.w.serial
}

// counts are what the sums are made of.
type counts struct {
	sessions  [session.NumStates]int
	endpoints int
}

func count(a session.Account) counts {
	c := counts{endpoints: len(a.Endpoints)}
	for _, s := range a.Sessions {
		c.sessions[s.State]++
	}
	return c
}

func (c *counts) add(d counts, times int) {
	for i, n := range d.sessions {
		c.sessions[i] += times * n
	}
	c.endpoints += times * d.endpoints
}
