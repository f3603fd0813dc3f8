package webpush

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const dialTime = 10 * time.Second

// refusedError is about an address that devices may not have us connect to.
type refusedError struct{ addr netip.Addr }

func (e *refusedError) Error() string {
	return fmt.Sprintf("%v is not an address of the public Internet", e.addr)
}

var errClosed = errors.New("the provider is closed")

// dialer connects to addresses that are allowed. It looks at the address of the
// socket that is about to connect: whatever a name resolved to before, and
// whatever it resolves to next time, nothing else is connected to.
type dialer struct {
	net     net.Dialer
	allowed func(netip.Addr) bool
	life    context.Context
	end     context.CancelFunc

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	tasks  sync.WaitGroup
}

func newDialer(resolver *net.Resolver, allowed func(netip.Addr) bool) *dialer {
	d := &dialer{allowed: allowed, conns: make(map[*conn]struct{})}
	d.life, d.end = context.WithCancel(context.Background())
	d.net = net.Dialer{Timeout: dialTime, Resolver: resolver, Control: d.control}
	return d
}

// control is called with the address of each socket before it connects.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !d.allowed(to.Addr()) {
		return &refusedError{to.Addr()}
	}
	return nil
}

// dial is what http.Transport dials with. It does so on goroutines of its own
// that outlive requests; close ends them.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed
	}
	d.tasks.Add(1)
	d.mu.Unlock()
	defer d.tasks.Done()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	raw, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, d: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		raw.Close()
		return nil, errClosed
	}
	d.conns[c] = struct{}{}
	return c, nil
}

// close ends dials and connections.
func (d *dialer) close() {
	d.end()
	d.mu.Lock()
	d.closed = true
	for c := range d.conns {
		c.Conn.Close()
	}
	clear(d.conns)
	d.mu.Unlock()
	d.tasks.Wait()
}

// conn takes itself out of the dialer's list when it is closed.
type conn struct {
	net.Conn
	d *dialer
}

func (c *conn) Close() error {
	c.d.mu.Lock()
	delete(c.d.conns, c)
	c.d.mu.Unlock()
	return c.Conn.Close()
}
