package main

import (
	"net"
	"sync"
	"time"
)

// wire is a TCP path that can be cut, slowed down and stalled: a proxy between
// two programs that know nothing of it.
type wire struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	delay time.Duration
	flow  chan struct{} // closed while bytes flow
	pairs map[*joined]struct{}
	dead  bool // refuses whoever comes
}

// joined is one connection: both ends, and that they are to go.
type joined struct {
	ends [2]net.Conn
	once sync.Once
	gone chan struct{}
}

// cut resets both ends.
func (p *joined) cut() {
	p.once.Do(func() {
		close(p.gone)
		for _, c := range p.ends {
			if tcp, ok := c.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			c.Close()
		}
	})
}

// chunk is what came in one read, and when it may go on; nil is the end.
type chunk struct {
	at    time.Time
	bytes []byte
}

func newWire(target string) (*wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: l, target: target, flow: make(chan struct{}), pairs: map[*joined]struct{}{}}
	close(w.flow)
	w.wg.Go(w.accept)
	return w, nil
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.wg.Go(func() { w.carry(in) })
	}
}

// carry joins a connection with one to the target, until either ends.
func (w *wire) carry(in net.Conn) {
	w.mu.Lock()
	dead := w.dead
	w.mu.Unlock()
	out, err := net.DialTimeout("tcp", w.target, 5*time.Second)
	p := &joined{ends: [2]net.Conn{in, out}, gone: make(chan struct{})}
	if err != nil || dead {
		p.ends = [2]net.Conn{in, in}
		if err == nil {
			out.Close()
		}
		p.cut()
		return
	}
	w.mu.Lock()
	w.pairs[p] = struct{}{}
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pump(p, in, out) })
	both.Go(func() { w.pump(p, out, in) })
	both.Wait()
	p.cut()
	w.mu.Lock()
	delete(w.pairs, p)
	w.mu.Unlock()
}

// pump carries one direction. The end of a stream travels as its bytes do: a
// stalled wire holds it up as well.
func (w *wire) pump(p *joined, from, to net.Conn) {
	queue := make(chan chunk, 64)
	w.wg.Go(func() {
		defer close(queue)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				w.mu.Lock()
				at := time.Now().Add(w.delay)
				w.mu.Unlock()
				select {
				case queue <- chunk{at, buf[:n]}:
				case <-p.gone:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for c := range queue {
		if !w.pass(p, c.at) {
			break
		}
		if _, err := to.Write(c.bytes); err != nil {
			break
		}
	}
	w.pass(p, time.Time{})
	p.cut()
	for range queue { // the reader has ended, or does now
	}
}

// pass waits until bytes flow and the time has come; false: the connection is cut.
func (w *wire) pass(p *joined, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.gone:
		return false
	}
	w.mu.Lock()
	flow := w.flow
	w.mu.Unlock()
	select {
	case <-flow:
		return true
	case <-p.gone:
		return false
	}
}

// cut resets all connections; while refuse is set, new ones as well.
func (w *wire) cut(refuse bool) {
	w.mu.Lock()
	w.dead = refuse
	var all []*joined
	for p := range w.pairs {
		all = append(all, p)
	}
	w.mu.Unlock()
	for _, p := range all {
		p.cut()
	}
}

// slow has every byte take so much longer.
func (w *wire) slow(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = d
}

// stall holds everything up, connections stay open; heal lets all of it go.
func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.flow:
		w.flow = make(chan struct{})
	default:
	}
}

// heal is the end of all that was done to the wire.
func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead, w.delay = false, 0
	select {
	case <-w.flow:
	default:
		close(w.flow)
	}
}

func (w *wire) close() {
	w.listener.Close()
	w.heal()
	w.cut(true)
	w.wg.Wait()
}
