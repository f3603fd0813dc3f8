package componenttest

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"rouse/component/stanza"
)

// Secret is the secret that a server expects unless Options say otherwise.
const Secret = "stand-in secret"

// patience is how long a test waits for something that has to come: longer
// than any time that the component allows itself.
const patience = 2 * time.Minute

// Options say how a server behaves. The zero value is a server that takes
// every component that knows [Secret].
type Options struct {
	Secret string   // default Secret
	Host   string   // the one component that is known; default any
	Refuse []string // stream error conditions for the first tries, in order; "" takes the try
	Queue  int      // links that Accept has yet to take; default 16
}

// Server is a server for components.
type Server struct {
	opts   Options
	listen net.Listener // nil if only pipes are used
	accept chan *Link
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	tries []time.Time
	conns map[net.Conn]struct{}
}

// New returns a server that listens on a free port of 127.0.0.1 until the test
// ends.
func New(t testing.TB, opts Options) *Server {
	t.Helper()
	s := NewPipe(t, opts)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listen = l
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	return s
}

// NewPipe returns a server that is reached by Dial only, until the test ends.
func NewPipe(t testing.TB, opts Options) *Server {
	if opts.Secret == "" {
		opts.Secret = Secret
	}
	if opts.Queue == 0 {
		opts.Queue = 16
	}
	s := &Server{opts: opts, accept: make(chan *Link, opts.Queue), conns: make(map[net.Conn]struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	t.Cleanup(s.Close)
	return s
}

// Address returns host:port.
func (s *Server) Address() string {
	if s.listen == nil {
		return "127.0.0.1:5347"
	}
	return s.listen.Addr().String()
}

// Dial connects to the server through a pipe.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.ctx.Err() != nil {
		return nil, errors.New("componenttest: the server is closed")
	}
	ours, theirs := net.Pipe()
	s.wg.Go(func() { s.serve(ours) })
	return theirs, nil
}

// Close ends the server and all links.
func (s *Server) Close() {
	s.cancel()
	if s.listen != nil {
		s.listen.Close()
	}
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Tries returns when components connected, whether they were taken or not.
func (s *Server) Tries() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.tries...)
}

// Start runs a component until the test ends, and returns its first link.
func (s *Server) Start(t testing.TB, c interface{ Run(context.Context) error }) *Link {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s.Accept(t)
}

// Accept returns the next link whose handshake was taken.
func (s *Server) Accept(t testing.TB) *Link {
	t.Helper()
	select {
	case l := <-s.accept:
		return l
	case <-time.After(patience):
		t.Fatal("no component connected")
		return nil
	}
}

func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	n := len(s.tries)
	s.tries = append(s.tries, time.Now())
	s.conns[conn] = struct{}{}
	closed := s.ctx.Err() != nil
	s.mu.Unlock()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if closed {
		return
	}
	refuse := ""
	if n < len(s.opts.Refuse) {
		refuse = s.opts.Refuse[n]
	}
	l, err := s.handshake(conn, n, refuse)
	if err != nil {
		return
	}
	select {
	case s.accept <- l:
	case <-s.ctx.Done():
		return
	}
	l.read(s.ctx)
}

// handshake is XEP-0114 §3 as Prosody does it.
func (s *Server) handshake(conn net.Conn, n int, refuse string) (*Link, error) {
	in := stanza.NewReader(conn, stanza.Limits{Bytes: 64 << 20})
	head, err := in.ReadHeader()
	if err != nil {
		return nil, err
	}
	host, id := head.Get("to"), fmt.Sprintf("stream-%d", n)
	_, err = fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' id='%s' from='%s'>", stanza.NSAccept, stanza.NSStream, id, host)
	if err != nil {
		return nil, err
	}
	if s.opts.Host != "" && host != s.opts.Host {
		return nil, end(conn, "host-unknown")
	}
	e, err := in.Next()
	if err != nil {
		return nil, err
	}
	want := fmt.Sprintf("%x", sha1.Sum([]byte(id+s.opts.Secret)))
	switch {
	case refuse != "":
		return nil, end(conn, refuse)
	case e.Name != "handshake" || e.Text != want:
		return nil, end(conn, "not-authorized")
	}
	if _, err := io.WriteString(conn, "<handshake/>"); err != nil {
		return nil, err
	}
	return &Link{Host: host, conn: conn, in: in, heard: make(chan stanza.Element, 4096), ended: make(chan struct{})}, nil
}

// end closes a stream with an error, and gives the peer time to read it.
func end(conn net.Conn, condition string) error {
	fmt.Fprintf(conn, "<stream:error><%s xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>", condition)
	conn.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, conn)
	return errors.New(condition)
}
