package componenttest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rouse/component/stanza"
)

// Link is a stream that a component opened.
type Link struct {
	Host string // the component's address

	conn   net.Conn
	write  sync.Mutex
	in     *stanza.Reader
	silent atomic.Bool
	heard  chan stanza.Element
	ended  chan struct{}
	err    error // why it ended; to be read when ended is closed
}

// read keeps what the component says, for Next. What it says to itself goes
// back, as from any server. A component that says thousands of stanzas to which
// nobody listens has to wait.
func (l *Link) read(ctx context.Context) {
	defer close(l.ended)
	for {
		e, err := l.in.Next()
		if err != nil {
			l.err = err
			if err == io.EOF {
				l.Send("</stream:stream>")
			}
			return
		}
		if e.Get("to") == l.Host {
			if !l.silent.Load() {
				l.Send(string(stanza.AppendElement(nil, e)))
			}
			continue
		}
		select {
		case l.heard <- e:
		case <-ctx.Done():
			return
		}
	}
}

// Send writes bytes to the component as they are. An error is no concern of
// the test's: what matters is what the component does then.
func (l *Link) Send(raw string) {
	l.write.Lock()
	defer l.write.Unlock()
	io.WriteString(l.conn, raw)
}

// Silence has the server say nothing more by itself, as one that is frozen.
func (l *Link) Silence() { l.silent.Store(true) }

// Next returns the next stanza from the component.
func (l *Link) Next(t testing.TB) stanza.Element {
	t.Helper()
	select {
	case e := <-l.heard:
		return e
	default:
	}
	select {
	case e := <-l.heard:
		return e
	case <-l.ended:
		select {
		case e := <-l.heard:
			return e
		default:
		}
		t.Fatalf("the link ended instead: %v", l.err)
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return stanza.Element{}
}

// Heard returns whether a stanza is waiting for Next.
func (l *Link) Heard() bool { return len(l.heard) > 0 }

// Ask sends a stanza and returns the first that comes back with the same id.
// Others are dropped.
func (l *Link) Ask(t testing.TB, raw, id string) stanza.Element {
	t.Helper()
	l.Send(raw)
	for {
		if e := l.Next(t); e.Get("id") == id {
			return e
		}
	}
}

// Alive fails the test unless the component still answers on this link: it
// sends a ping and waits for an answer of any kind.
func (l *Link) Alive(t testing.TB) {
	t.Helper()
	l.Ask(t, "<iq type='get' id='alive?' from='probe.example' to='"+l.Host+"'><ping xmlns='urn:xmpp:ping'/></iq>", "alive?")
}

// Drop cuts the connection without a word.
func (l *Link) Drop() { l.conn.Close() }

// Ended returns a channel that is closed when the component has left.
func (l *Link) Ended() <-chan struct{} { return l.ended }

// Err returns what ended the link, once it has ended: io.EOF if the component
// closed the stream.
func (l *Link) Err() error { return l.err }
