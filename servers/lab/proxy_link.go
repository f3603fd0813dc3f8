package lab

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"
)

// link is one connection through a proxy.
type link struct {
	proxy  *Proxy
	client net.Conn
	cut    func()        // resets both ends
	done   chan struct{} // closed when nothing can arrive any more

	// Under the proxy's mutex:
	answers int64  // bytes from the server that the client still gets, or unlimited
	dumb    bool   // it has lost some
	said    []byte // the end of what the client said: the word may come in two pieces
}

// piece is what came in one read, and when it may go on.
type piece struct {
	due   time.Time
	bytes []byte
}

// Of what is delayed or held up so many pieces of at most so many bytes are
// kept for a direction; then TCP slows down the sender.
const (
	maxPieces = 64
	pieceSize = 16 << 10
)

// carry joins the client with the server until either ends or ctx does.
func (l *link) carry(ctx context.Context) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(ctx, "tcp", l.proxy.target)
	if err != nil {
		l.proxy.mu.Lock()
		l.proxy.stats.Unreachable++
		l.proxy.mu.Unlock()
		reset(l.client)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(ctx, l.client, server, l.toServer) })
	both.Go(func() { l.pump(ctx, server, l.client, l.toClient) })
	<-ctx.Done() // cut from outside, or by the first direction that has ended
	reset(l.client)
	reset(server)
	both.Wait()
}

// pump carries one direction. The end of the stream travels behind its bytes,
// delayed and held up as they are, and ends the other direction as well.
func (l *link) pump(ctx context.Context, from, to net.Conn, pass func([]byte) []byte) {
	queue := make(chan piece, maxPieces)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(queue)
		for {
			b := make([]byte, pieceSize)
			n, err := from.Read(b)
			if err != nil {
				n = 0 // the empty piece is the end
			}
			select {
			case queue <- piece{l.proxy.due(), b[:n]}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	for piece := range queue {
		if !l.proxy.wait(ctx, piece.due) || len(piece.bytes) == 0 {
			break
		}
		if _, err := to.Write(pass(piece.bytes)); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		reset(to) // else an end in good order might come before the cut's
	} else {
		to.Close() // in good order: what was written arrives
	}
	l.cut()
	reading.Wait()
}

func (p *Proxy) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.delay)
}

// wait returns when a piece may go on; false: the link was cut.
func (p *Proxy) wait(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	p.mu.Lock()
	flow := p.flow
	p.mu.Unlock()
	select {
	case <-flow:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *link) toServer(b []byte) []byte {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.proxy.stats.ToServer += int64(len(b))
	if word := l.proxy.word; word != nil {
		l.said = append(l.said, bytes.ToLower(b)...)
		if bytes.Contains(l.said, word) {
			l.answers = 0
		}
		l.said = l.said[max(0, len(l.said)-len(word)+1):]
	}
	return b
}

// toClient takes away what is to be dropped.
func (l *link) toClient(b []byte) []byte {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if all := int64(len(b)); l.answers != unlimited && all > l.answers {
		b = b[:l.answers]
		l.proxy.stats.Dropped += all - l.answers
		l.dumb = true
	}
	if l.answers != unlimited {
		l.answers -= int64(len(b))
	}
	l.proxy.stats.ToClient += int64(len(b))
	return b
}

// reset closes a connection so that the other side sees it break.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
