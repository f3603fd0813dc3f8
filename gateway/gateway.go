package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Errors that callers answer with. Anything else is a fault of the store.
var (
	// ErrBusy: too much waits for this owner already.
	ErrBusy = errors.New("gateway: too much waits for this account")
	// ErrClosed: the gateway is shutting down.
	ErrClosed = errors.New("gateway: shutting down")
	// ErrStandby: another process has the link now; what still comes in here is
	// repeated by whoever sent it, and goes there.
	ErrStandby = errors.New("gateway: another process has the link")
)

// Server is the other direction: what we ask of server modules. Calls return at
// once or when ctx ends; what is lost is asked again.
type Server interface {
	// Picture asks a host for the full picture (docs/events.md), or one node of its
	// cluster; "": all that it has.
	Picture(ctx context.Context, host, node string) error
	// Woken tells a host that a hibernated session was woken.
	Woken(ctx context.Context, host, user, sid string) error
}

// Observer is told what happened, for metrics. It must not block.
type Observer interface {
	Event(kind session.Kind)
	Decision(rule string, v session.Verdict)
	UnknownNode() // a node that was issued here is not in the store
	Limited()     // a publish or a registration was refused: its sender's rate
}

// Config is what a Gateway needs. All fields but Observer and what is nil
// or zero by its word are required.
type Config struct {
	Store    store.Store
	Server   Server
	Nodes    *Nodes
	Service  string   // our own JID: endpoints of other services are published by their server
	Hosts    []string // whose modules may report
	Policy   func() business.Policy
	Now      func() time.Time
	Rand     io.Reader
	Logger   *slog.Logger
	Observer Observer
	Answered func(wake, condition, errorType string) // a third party's push service answered
	Scarce   func(app string) bool                   // whether its devices take few silent wakes; nil: none do
	Tells    func(app string) bool                   // whether its devices are told who wrote what; nil: none are
	Offers   func(node, module string) *Offer        // what a node says that was enabled, maybe for a module; nil: nothing
	Parts    func(account, node string) bool         // tells an account's server that a node is gone; false: not now. It must not wait. nil: nobody is told
	Senders  func() Rate                             // what a domain may publish that is none of Hosts; nil: all it likes
	Enrols   func() Enrolment                        // what an account, and a domain, may register; nil: all they like

	Shared bool          // other processes work on the store too
	Holds  func() bool   // whether this process may have the link; nil: always
	Poll   time.Duration // how often to look for wakes that other processes owe; 0: once a minute
}

const (
	mailbox     = 1024             // operations that may wait for one owner
	perTurn     = 128              // of which so many are decided in one commit
	lease       = 5 * time.Minute  // longer than any try, relay's second one included
	askFor      = 30 * time.Second // a picture that did not begin is asked again
	pictureTime = 15 * time.Minute // that a picture may take
	sweepers    = 64               // accounts that are swept side by side
	cached      = 100_000          // owners, and registrations
	fresh       = 30 * time.Second // a registration is taken from memory while others may bury it
)

// Gateway is described at the package.
type Gateway struct {
	cfg     Config
	log     *slog.Logger
	owners  *cache[store.Owner]
	regs    *cache[known]
	senders *senders

	accounts, domains *senders // that register

	contents *cache[*session.Content]
	parted   *cache[struct{}] // nodes whose end was told

	mu     sync.Mutex
	boxes  map[string]*box
	closed bool
	wg     sync.WaitGroup

	hosts  map[string]*reporters
	ask    chan wish     // pictures that are wanted
	due    chan struct{} // something may have become due
	back   chan struct{} // the store may have gone back in time
	linked atomic.Bool
	losses losses
}

// New makes a Gateway. It does nothing yet.
func New(cfg Config) *Gateway {
	g := &Gateway{
		cfg: cfg, log: cfg.Logger,
		owners: newCache[store.Owner](cached), regs: newCache[known](cached), senders: newSenders(),
		accounts: newSenders(), domains: newSenders(),
		contents: newCache[*session.Content](contents), parted: newCache[struct{}](parted),
		boxes: make(map[string]*box), hosts: make(map[string]*reporters),
		ask: make(chan wish, 64), due: make(chan struct{}, 1), back: make(chan struct{}, 1),
	}
	for _, h := range cfg.Hosts {
		g.hosts[h] = newReporters(h)
	}
	return g
}

// holds says whether what arrives over the link may be decided here.
func (g *Gateway) holds() bool { return g.cfg.Holds == nil || g.cfg.Holds() }

// Reports says whether a host's module may report events.
func (g *Gateway) Reports(host string) bool { return g.hosts[host] != nil }

// Close refuses what is new and waits for what is under way.
func (g *Gateway) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}

// nudge tells the workers that something may be due.
func (g *Gateway) nudge() {
	select {
	case g.due <- struct{}{}:
	default:
	}
}
