package component

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
)

// link is one stream to the server.
type link struct {
	conn       net.Conn
	in         *stanza.Reader
	source     *source
	out        *writer
	requests   *requests
	overflowed atomic.Bool // answers were dropped
}

const (
	endOfStream   = "</stream:stream>"
	notWellFormed = "<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" + endOfStream
)

// closing is how long the server may take to end the stream after we did.
const closing = 2 * time.Second

// connect makes a link: connection, header, handshake.
func (c *Component) connect(ctx context.Context, address string) (*link, error) {
	secret, err := c.cfg.Secret()
	if err != nil {
		return nil, fmt.Errorf("component secret: %w", err)
	}
	dialCtx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	conn, err := c.cfg.Dial(dialCtx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The end of ctx ends the handshake.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	l := &link{conn: conn, out: newWriter(conn, c.cfg.WriteTimeout), requests: newRequests(c.cfg.MaxRequests)}
	l.source = &source{conn: conn, ping: func() { l.out.offer(c.ping()) }}
	l.in = stanza.NewReader(l.source, c.cfg.Limits)
	conn.SetDeadline(time.Now().Add(c.cfg.DialTimeout))
	if err := handshake(conn, l.in, c.cfg.JID, secret); err != nil {
		conn.Close()
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
			err = fmt.Errorf("no handshake within %v: %w", c.cfg.DialTimeout, err)
		}
		return nil, err
	}
	if !stop() {
		conn.Close()
		return nil, ctx.Err()
	}
	conn.SetDeadline(time.Time{})
	l.source.idle = c.cfg.Idle
	return l, nil
}

// handshake is XEP-0114 §3.
func handshake(conn net.Conn, in *stanza.Reader, addr jid.JID, secret string) error {
	open := "<?xml version='1.0'?><stream:stream xmlns='" + stanza.NSAccept + "' xmlns:stream='" + stanza.NSStream + "' to='" + addr.String() + "'>"
	if _, err := io.WriteString(conn, open); err != nil {
		return err
	}
	head, err := in.ReadHeader()
	if err != nil {
		return err
	}
	// A server may refuse before it gives an id: its error is worth more.
	id, ok := head.Lookup("id")
	if ok {
		digest := sha1.Sum([]byte(id + secret))
		if _, err := fmt.Fprintf(conn, "<handshake>%x</handshake>", digest); err != nil {
			return err
		}
	}
	e, err := in.Next()
	switch {
	case err == io.EOF:
		return errClosed
	case err != nil:
		return err
	case !e.Is(stanza.NSClient, "handshake") || !ok:
		return fmt.Errorf("the server answered the handshake with %q", e.Name)
	}
	return nil
}

// errClosed says that the server ended the stream without an error.
var errClosed = errors.New("the server closed the stream")

// serve lets a link live: until it ends by itself, whose cause is returned, or
// until ctx ends, after which drain lets the handlers under way answer first.
func (c *Component) serve(ctx, handlers context.Context, drain func(), l *link) error {
	readEnd, writeEnd := make(chan error, 1), make(chan error, 1)
	go func() { readEnd <- c.read(handlers, l) }()
	go func() { writeEnd <- l.out.run() }()
	defer context.AfterFunc(c.cut, func() { l.conn.Close() })()

	var cause error
	reading, writing := true, true
	select {
	case cause = <-readEnd:
		reading = false
	case cause = <-writeEnd:
		writing = false
	case <-ctx.Done():
		// Reading goes on, so that handlers get their answers, and new requests
		// are told to wait.
		drain()
		cause = ctx.Err()
	}
	c.link.CompareAndSwap(l, nil)
	l.requests.fail()

	last := endOfStream
	var syntax *stanza.SyntaxError
	if errors.As(cause, &syntax) {
		last = notWellFormed
	}
	cut := time.AfterFunc(closing, func() { l.conn.Close() })
	l.out.close(last)
	if writing {
		<-writeEnd
	}
	if reading && writing {
		<-readEnd
		reading = false
	}
	cut.Stop()
	l.conn.Close()
	if reading {
		<-readEnd
	}
	if cause == io.EOF {
		cause = errClosed
	}
	return cause
}

// source reads from the connection. Silence for the time idle has it ping, a
// second such silence is an error.
type source struct {
	conn   net.Conn
	idle   time.Duration // 0 while the deadline is somebody else's
	ping   func()
	pinged bool
}

// errSilent says that the link looks alive and is not.
var errSilent = errors.New("the server has fallen silent")

func (s *source) Read(p []byte) (int, error) {
	for {
		if s.idle > 0 {
			if err := s.conn.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
				return 0, err
			}
		}
		n, err := s.conn.Read(p)
		switch {
		case n > 0:
			s.pinged = false
			return n, nil
		case s.idle == 0 || !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case s.pinged:
			return 0, fmt.Errorf("%w for %v", errSilent, 2*s.idle)
		}
		s.pinged = true
		s.ping()
	}
}

// ping is an IQ (XEP-0199 §3) to ourselves, which the server passes back:
// XEP-0114 does not tell us an address of the server's own. That it comes back
// shows that the stream lives in both directions.
func (c *Component) ping() []byte {
	id, err := c.NewID()
	if err != nil {
		id = "ping"
	}
	self := c.cfg.JID.String()
	return stanza.AppendElement(nil, stanza.Element{
		Name:     "iq",
		Attr:     []stanza.Attr{{Name: "type", Value: "get"}, {Name: "id", Value: id}, {Name: "from", Value: self}, {Name: "to", Value: self}},
		Children: []stanza.Element{{Space: "urn:xmpp:ping", Name: "ping"}},
	})
}
