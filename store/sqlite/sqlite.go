package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"rouse/store"
)

// Options of a store; the zero value is right for everybody.
type Options struct {
	Readers int // connections for reading; 0: 4
	Queue   int // decisions that may wait for the writer before callers wait; 0: 1024
	Reasons int // kept of each owner; 0: store.MaxReasons, less: none

	// For tests: what makes the store lose, crawl or fail.
	synchronous string // FULL
	vfs         string // SQLite's own
	checkpoint  int    // pages in the log before they are moved into the file; 1000
	group       int    // decisions in a commit at most; maxGroup
}

// Store is a store in one file. Its methods may be called from anywhere at once.
type Store struct {
	path    string
	lock    *os.File
	readers *readers
	writing *sql.DB
	conn    *sql.Conn // the writer's, the only one of writing

	gate   sync.RWMutex // callers enter the queue under it, Close shuts it
	closed bool
	queue  chan *job
	done   chan struct{} // closed when the writer is through

	decisions, commits atomic.Uint64
	self               atomic.Pointer[store.Process]
}

var _ store.Store = (*Store)(nil)

// Stats says how much was shared.
type Stats struct {
	Decisions uint64 // answered: Commit, Claim, Register …, each one
	Commits   uint64 // transactions they went to the disk in
}

// Open opens the store at path, or makes a new one where there is no file. A
// file of an older format is brought up to date; one of a newer format
// (store.ErrNewer), one that is not a store, and one that another rouse has open
// are left alone. Errors are of type *Error and name a remedy.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	held, err := lock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, lock: held, done: make(chan struct{})}
	if err := s.open(ctx, o); err != nil {
		s.release()
		var known *Error
		if err = explain(path, err); !errors.As(err, &known) {
			err = &Error{path, err, ""}
		}
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	o.defaults()
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		if err := create(ctx, s.path); err != nil {
			return err
		}
	}
	if err := inspect(s.path); err != nil {
		return err
	}
	vfs := ""
	if o.vfs != "" {
		vfs = "vfs=" + o.vfs + "&"
	}
	var err error
	s.writing, err = open(s.path, vfs+fmt.Sprintf("mode=rw&_pragma=busy_timeout(5000)&_pragma=synchronous(%s)&_pragma=wal_autocheckpoint(%d)"+
		"&_pragma=journal_size_limit(67108864)&_pragma=cache_size(-16384)", o.synchronous, o.checkpoint))
	if err != nil {
		return err
	}
	if s.conn, err = s.writing.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.conn); err != nil {
		return err
	}
	w, err := newWriter(ctx, s.conn, o.group, max(0, o.Reasons))
	if err != nil {
		return err
	}
	reading, err := open(s.path, vfs+"mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	reading.SetMaxOpenConns(o.Readers)
	reading.SetMaxIdleConns(o.Readers)
	s.readers = &readers{db: reading, stmts: make(map[string]*sql.Stmt)}
	s.queue = make(chan *job, o.Queue)
	w.stats = func(decisions, commits uint64) {
		s.decisions.Add(decisions)
		s.commits.Add(commits)
	}
	go func() {
		defer close(s.done)
		w.run(s.queue)
	}()
	return nil
}

func (o *Options) defaults() {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.Readers, 4}, {&o.Queue, 1024}, {&o.checkpoint, 1000}, {&o.group, maxGroup}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.Reasons == 0 || o.Reasons > store.MaxReasons {
		o.Reasons = store.MaxReasons
	}
	if o.synchronous == "" {
		o.synchronous = "FULL"
	}
}

// Stats counts since Open.
func (s *Store) Stats() Stats {
	return Stats{Decisions: s.decisions.Load(), Commits: s.commits.Load()}
}

// Close waits for the decisions in flight and lets go of the file. Calls that
// come later get store.ErrClosed.
func (s *Store) Close() error {
	s.gate.Lock()
	again := s.closed
	s.closed = true
	if !again {
		close(s.queue)
	}
	s.gate.Unlock()
	<-s.done
	if again {
		return nil
	}
	return explain(s.path, s.release())
}

// release closes what is open. The writer goes last: the last connection moves
// the log into the file, and a reader could not.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.db.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.writing != nil {
		errs = append(errs, s.writing.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
