package lab

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// maxLinks bounds the connections of a proxy; more are reset.
const maxLinks = 4096

// Proxy is a TCP path to a server that can be cut, slowed down, stalled and
// robbed of answers, between two programs that know nothing of it. Safe for
// concurrent use.
type Proxy struct {
	addr, target string
	all          sync.WaitGroup // every goroutine

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	closed   bool
	links    map[*link]struct{}
	delay    time.Duration
	answers  int64         // bytes of answers that a new connection gets, or unlimited
	word     []byte        // whoever says it gets no more answers; nil: nobody
	flow     chan struct{} // closed while bytes flow
	stats    ProxyStats
}

// ProxyStats count since the beginning, but for Open.
type ProxyStats struct {
	Accepted, Open, Cut  int
	ToServer, ToClient   int64 // bytes passed on
	Dropped              int64 // bytes of answers not passed on
	Unreachable, TooMany int   // connections that were reset for want of a server, of room
}

// unlimited answers: none is dropped.
const unlimited = -1

// NewProxy listens on a free port of 127.0.0.1 and connects whoever comes with target.
func NewProxy(target string) (*Proxy, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{addr: l.Addr().String(), target: target, listener: l, links: map[*link]struct{}{},
		answers: unlimited, flow: make(chan struct{})}
	close(p.flow)
	p.all.Go(func() { p.accept(l) })
	return p, nil
}

// Addr is host:port of the proxy.
func (p *Proxy) Addr() string { return p.addr }

// Stats tells what went through.
func (p *Proxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = len(p.links)
	return s
}

// Cut resets all connections and tells how many; what was on its way is lost,
// and nothing of it arrives after Cut has returned.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	var links []*link
	for l := range p.links {
		links = append(links, l)
		l.cut()
	}
	p.stats.Cut += len(links)
	p.mu.Unlock()
	for _, l := range links {
		<-l.done
	}
	return len(links)
}

// Refuse has new connections refused, as if nobody listened; those that are
// there stay.
func (p *Proxy) Refuse(yes bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || yes == (p.listener == nil):
		return nil
	case yes:
		err := p.listener.Close()
		p.listener = nil
		return err
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.all.Go(func() { p.accept(l) })
	return nil
}

// Delay has every byte arrive so much later, in both directions.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Stall holds everything up, as a network does that loses every packet:
// connections are taken and stay open, and nothing arrives. Afterwards what
// was held up goes on its way, so whoever waits long enough misses nothing.
func (p *Proxy) Stall(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		if yes {
			p.flow = make(chan struct{})
		}
	default:
		if !yes {
			close(p.flow)
		}
	}
}

// DropAnswers lets every connection have n more bytes from the server and
// swallows the rest: the server has done it and the client does not learn so.
// A connection that lost bytes stays dumb until it is closed or cut.
func (p *Proxy) DropAnswers(n int64) { p.setAnswers(max(n, 0)) }

// DropAnswersTo swallows all that a connection gets from when it has said word,
// in any case of letters: a client that first has to greet the server can, and
// whatever it does besides is answered.
func (p *Proxy) DropAnswersTo(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.word = bytes.ToLower([]byte(word))
}

// KeepAnswers is the end of DropAnswers and DropAnswersTo.
func (p *Proxy) KeepAnswers() { p.setAnswers(unlimited) }

func (p *Proxy) setAnswers(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers, p.word = n, nil
	for l := range p.links {
		if !l.dumb {
			l.answers = n
		}
	}
}

// Close cuts everything and waits for all that the proxy began.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	var err error
	if p.listener != nil {
		err = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
	p.all.Wait()
	return err
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // no file descriptor is free: one will be
			continue
		}
		ctx, cut := context.WithCancel(context.Background())
		link := &link{proxy: p, client: client, cut: cut, done: make(chan struct{})}
		if !p.take(link) {
			cut()
			reset(client)
			continue
		}
		p.all.Go(func() {
			defer p.leave(link)
			defer cut()
			link.carry(ctx)
		})
	}
}

// take adds a link, unless there are too many or the proxy is at its end.
func (p *Proxy) take(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.stats.Accepted++
	if len(p.links) >= maxLinks {
		p.stats.TooMany++
		return false
	}
	l.answers = p.answers
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	close(l.done)
}
