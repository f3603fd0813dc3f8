package h2

//lint:file-ignore SA1019 what net/http offers in its place can neither be pinged before the first request nor asked whether it is closing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// The bounds of a connection.
const (
	dialTime   = 10 * time.Second
	idlePing   = 15 * time.Second // after so much silence we ask whether the peer is there
	pingTime   = 10 * time.Second
	idleClose  = time.Hour // Apple wants connections kept; an hour without a wake is not worth one
	maxHeaders = 64 << 10
	lookAgain  = 10 * time.Millisecond // for a free stream, where nothing tells of it
)

// Config is whom to trust, who we are, and the way.
type Config struct {
	Roots        *x509.CertPool    // nil: the system's
	Certificates []tls.Certificate // of the client; nil: none
	Proxy        *url.URL          // an HTTP proxy, with user and password if it wants them; nil: none
}

// Transport is an http.RoundTripper over one connection, which is dialled when
// it is first used and again when it ended. Providers allow about a thousand
// streams on it, and Apple takes many connections, or a rapid change of them,
// for an attack.
//
// The connection is ours rather than http2.Transport's, since with more callers
// than streams that one either dials more connections or, told to be strict,
// blocks: its waiting callers count as streams. Apple allows a single stream
// until it accepted a first request, so more callers than streams are ordinary.
type Transport struct {
	h2    *http2.Transport
	proxy *url.URL
	tasks sync.WaitGroup

	mu     sync.Mutex
	conn   *http2.ClientConn
	dial   *dial         // under way
	freed  chan struct{} // closed and replaced when a stream ended
	closed bool
}

// dial is one attempt that all callers wait for.
type dial struct {
	done   chan struct{}
	cancel context.CancelFunc
	err    error
}

var errClosed = errors.New("the provider is closed")

// New makes a transport.
func New(cfg Config) *Transport {
	return &Transport{
		freed: make(chan struct{}),
		proxy: cfg.Proxy,
		h2: &http2.Transport{
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots, Certificates: cfg.Certificates,
				NextProtos: []string{http2.NextProtoTLS}},
			MaxHeaderListSize: maxHeaders,
			IdleConnTimeout:   idleClose,
			ReadIdleTimeout:   idlePing,
			PingTimeout:       pingTime,
			WriteByteTimeout:  pingTime,
		},
	}
}

// reserve gives the connection with a stream reserved on it.
func (t *Transport) reserve(r *http.Request) (*http2.ClientConn, error) {
	ctx := r.Context()
	for {
		t.mu.Lock()
		if t.conn != nil && t.conn.ReserveNewRequest() {
			defer t.mu.Unlock()
			return t.conn, nil
		}
		if t.conn != nil {
			if s := t.conn.State(); s.Closed || s.Closing {
				t.conn = nil // it ends with its last stream
			}
		}
		freed, d := t.freed, t.dial
		if t.conn == nil && d == nil {
			if t.closed {
				t.mu.Unlock()
				return nil, errClosed
			}
			d = t.start(r.URL)
		}
		t.mu.Unlock()
		if err := wait(ctx, freed, d); err != nil {
			return nil, err
		}
	}
}

// wait waits for a dial, or else for a free stream.
func wait(ctx context.Context, freed chan struct{}, d *dial) error {
	if d != nil {
		select {
		case <-d.done:
			return d.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-freed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// start dials, in a task that Close waits for. t.mu is held.
func (t *Transport) start(u *url.URL) *dial {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	d := &dial{done: make(chan struct{}), cancel: cancel}
	t.dial = d
	t.tasks.Go(func() {
		defer cancel()
		conn, err := t.connect(ctx, u)
		t.mu.Lock()
		defer t.mu.Unlock()
		if err == nil && t.closed {
			conn.Close()
			err = errClosed
		}
		if err == nil {
			t.conn = conn
		}
		t.dial, d.err = nil, err
		close(d.done)
	})
	return d
}

func (t *Transport) connect(ctx context.Context, u *url.URL) (*http2.ClientConn, error) {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	tcp, err := dialRaw(ctx, t.proxy, net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	cfg := t.h2.TLSClientConfig.Clone()
	cfg.ServerName = u.Hostname()
	raw := tls.Client(tcp, cfg)
	if err := raw.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, err
	}
	if raw.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		raw.Close()
		return nil, errors.New("the server does not speak HTTP/2")
	}
	conn, err := t.h2.NewClientConn(raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	// A server's settings come before anything else (RFC 9113 §3.4): after a ping
	// the number of streams is known, and none is refused for a wrong guess.
	if err := conn.Ping(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (t *Transport) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.freed)
	t.freed = make(chan struct{})
}

// CloseIdleConnections closes the connection if it carries nothing now.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil && t.conn.State().StreamsActive == 0 {
		t.conn.Close()
		t.conn = nil
	}
}

// Close ends a dial and the connection; requests under way fail.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	if t.dial != nil {
		t.dial.cancel()
	}
	if t.conn != nil {
		t.conn.Close()
	}
	t.mu.Unlock()
	t.tasks.Wait()
}
