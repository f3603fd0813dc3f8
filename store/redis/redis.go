package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"rouse/store"
)

// Mode is who says where the shards are.
type Mode string

const (
	Standalone Mode = "standalone" // one Redis; the default
	Sentinel   Mode = "sentinel"   // Addrs are Sentinels, which watch MasterName
	Cluster    Mode = "cluster"    // Addrs are some nodes of a Redis Cluster
)

// Durability is what an answer means.
type Durability string

const (
	Safe Durability = "safe" // on a disk, and on a replica if one is connected; the default
	Fast Durability = "fast" // in the memory of the master
)

// Options of a store. Addrs must be given; what else is zero means the default.
type Options struct {
	Addrs      []string // host:port
	Mode       Mode
	MasterName string
	DB         int
	Username   string
	Password   string
	TLS        *tls.Config // nil: none. Sentinels are spoken to alike

	SentinelUsername string
	SentinelPassword string

	Durability Durability
	Process    string             // whose claims these are: Process.ID, without spaces
	OnSetback  func(cause string) // called when what was written last may be lost: ask for what can be asked for again
	Logger     *slog.Logger       // slog.Default
	Reasons    int                // kept for each owner; 0: store.MaxReasons, which is the most; less: none
}

func (o *Options) check() error {
	if o.Mode == "" {
		o.Mode = Standalone
	}
	if o.Durability == "" {
		o.Durability = Safe
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Reasons < 0:
		o.Reasons = 0
	case o.Reasons == 0 || o.Reasons > store.MaxReasons:
		o.Reasons = store.MaxReasons
	}
	if o.Process == "" {
		o.Process = nobody
	}
	switch {
	case len(o.Addrs) == 0:
		return errors.New("redis: no address is given")
	case o.Mode == Standalone && len(o.Addrs) > 1:
		return errors.New("redis: several addresses are for Sentinel or Cluster")
	case o.Mode == Sentinel && o.MasterName == "":
		return errors.New("redis: Sentinel wants the name of the master")
	case o.Mode == Cluster && o.DB != 0:
		return errors.New("redis: a cluster has database 0 alone")
	case o.Mode != Standalone && o.Mode != Sentinel && o.Mode != Cluster:
		return fmt.Errorf("redis: unknown mode %q", o.Mode)
	case o.Durability != Safe && o.Durability != Fast:
		return fmt.Errorf("redis: unknown durability %q", o.Durability)
	case strings.ContainsAny(o.Process, " \n"):
		return errors.New("redis: the id of a process has no spaces")
	}
	return nil
}

// Store is a store in Redis. Its methods may be called from anywhere at once.
type Store struct {
	o       Options
	log     *slog.Logger
	scripts scripts
	nodes   *nodes
	where   locator
	watch   *watcher
	shards  atomic.Pointer[[store.Shards]*node]
	agenda  agenda
	doubts  doubts
	sweeps  chan struct{} // room for one: who holds it sweeps
	stats   stats

	versions struct {
		sync.Mutex
		*mathrand.ChaCha8
	}

	gate    sync.RWMutex
	closed  bool
	closing atomic.Bool
	calls   sync.WaitGroup // methods that run
	tasks   sync.WaitGroup // goroutines of ours
	halt    chan struct{}  // closed: end
}

var _ store.Store = (*Store)(nil)

// Stats says how much was shared.
type Stats struct {
	Commands   uint64 // sent to Redis for callers, confirmations included
	RoundTrips uint64 // that they went in
}

// Stats counts since Open.
func (s *Store) Stats() Stats {
	return Stats{Commands: s.stats.commands.Load(), RoundTrips: s.stats.trips.Load()}
}

// Open opens the store that is in Redis, or makes a new one where nothing is. A
// store of a newer format (store.ErrNewer), keys of somebody else, and a replica
// are left alone. Errors are of type *Error and name a remedy.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		_ = s.Close()
		return nil, explain(s.o.Addrs[0], err)
	}
	return s, nil
}

// connect finds out where the shards are; nothing is written yet.
func connect(ctx context.Context, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	logging.Disable() // what go-redis says on stderr is said by our errors, with place and remedy
	s := &Store{o: o, log: o.Logger, halt: make(chan struct{}), sweeps: make(chan struct{}, 1)}
	var err error
	if s.scripts, err = loadScripts(); err != nil {
		return nil, err
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	s.versions.ChaCha8 = mathrand.NewChaCha8(seed)
	s.agenda.forget()
	s.nodes = &nodes{o: o, stats: &s.stats, all: make(map[string]*node), used: make(map[string]time.Time)}
	switch o.Mode {
	case Sentinel:
		s.where = newSentinels(&o)
	case Cluster:
		s.where = newCluster(s.nodes, o.Addrs)
	default:
		s.where = one(o.Addrs[0])
	}
	s.watch = &watcher{s: s, wanted: make(chan struct{}, 1)}
	if err := s.watch.look(ctx); err != nil {
		_ = s.release()
		return nil, explain(o.Addrs[0], err)
	}
	s.tasks.Go(s.watch.run)
	return s, nil
}

// version gives one that no owner had before: by chance, and that is enough, also
// where a failover takes back what was given. 0 is nobody's.
func (s *Store) version() uint64 {
	s.versions.Lock()
	defer s.versions.Unlock()
	for {
		if v := s.versions.Uint64(); v != 0 {
			return v
		}
	}
}

// Close waits for the calls in flight; they are not tried again. Calls that come
// later get store.ErrClosed.
func (s *Store) Close() error {
	s.gate.Lock()
	again := s.closed
	s.closed = true
	s.gate.Unlock()
	if again {
		s.tasks.Wait()
		return nil
	}
	s.closing.Store(true)
	close(s.halt)
	s.calls.Wait()
	s.tasks.Wait()
	return s.release()
}

func (s *Store) release() error {
	return errors.Join(s.nodes.close(), s.where.close())
}
