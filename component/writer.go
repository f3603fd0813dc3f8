package component

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	// Send waits while more than this is unwritten.
	sendRoom = 256 << 10
	// Answers, which are as many as the questions taken, are dropped beyond this.
	answerRoom = 4 << 20
	// No more than this is written to have the server read on.
	maxPad = 16 << 10
)

// padded has whitespace follow what is written, as much as its last stanza is
// long. Expat since 2.6.0 (and older ones with the mend of CVE-2023-52425) does not
// look again at a tag that it has in part until it has twice as much: the last
// stanza of a burst would lie in the server until the next one comes.
func padded(b []byte, last int) []byte {
	for range min(last, maxPad) {
		b = append(b, ' ')
	}
	return b
}

// writer collects stanzas while the write before is under way, and writes what
// was collected at once.
type writer struct {
	conn    net.Conn
	timeout time.Duration

	mu     sync.Mutex
	buf    []byte
	last   int           // bytes of the stanza that was added last
	room   chan struct{} // closed when buf was taken
	closed bool          // nothing more is taken
	wake   chan struct{} // of room for one: something is to be done
}

func newWriter(conn net.Conn, timeout time.Duration) *writer {
	return &writer{conn: conn, timeout: timeout, room: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// send adds b once there is room.
func (w *writer) send(ctx context.Context, b []byte) error {
	for {
		w.mu.Lock()
		closed, room := w.closed, w.room
		fits := !closed && len(w.buf) < sendRoom
		if fits {
			w.add(b)
		}
		w.mu.Unlock()
		switch {
		case closed:
			return ErrDisconnected
		case fits:
			w.poke()
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// offer adds b without waiting, and reports false if there was no room.
func (w *writer) offer(b []byte) bool {
	w.mu.Lock()
	fits := !w.closed && len(w.buf) < answerRoom
	if fits {
		w.add(b)
	}
	w.mu.Unlock()
	if fits {
		w.poke()
	}
	return fits
}

func (w *writer) add(b []byte) { w.buf, w.last = append(w.buf, b...), len(b) }

// close has run write what there is, then last, and end.
func (w *writer) close(last string) {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		w.buf = append(w.buf, last...)
		close(w.room)
	}
	w.mu.Unlock()
	w.poke()
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until closed. After an error, which may have left half a stanza
// on the wire, the connection cannot be used.
func (w *writer) run() error {
	var spare []byte
	for range w.wake {
		w.mu.Lock()
		out, last, closed := w.buf, w.last, w.closed
		w.buf = spare[:0]
		if !closed {
			close(w.room)
			w.room = make(chan struct{})
		}
		w.mu.Unlock()
		if len(out) > 0 {
			if !closed {
				out = padded(out, last)
			}
			if err := w.write(out); err != nil {
				w.close("")
				return err
			}
		}
		if closed {
			return nil
		}
		if spare = out; cap(spare) > sendRoom {
			spare = nil
		}
	}
	return nil
}

func (w *writer) write(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(b)
	return err
}
