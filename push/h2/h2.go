// Package h2 is how providers are reached: HTTP/2 over TLS (RFC 9113), one
// connection with a bound on everything, and a note of each answer for callers
// whose client library keeps it to itself.
package h2

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/http2"
)

// The bounds of a connection and of an answer.
const (
	dialTime   = 10 * time.Second
	idlePing   = 15 * time.Second // after so much silence we ask whether the peer is there
	pingTime   = 10 * time.Second
	idleClose  = time.Hour // Apple wants connections kept; an hour without a wake is not worth one
	maxAnswer  = 64 << 10
	maxHeaders = 64 << 10
)

// Config is whom to trust and who we are.
type Config struct {
	Roots        *x509.CertPool    // nil: the system's
	Certificates []tls.Certificate // of the client; nil: none
}

// Roots reads certificates in PEM; none is an error. An empty name gives nil,
// which means the system's.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return RootsFromPEM(text)
}

// RootsFromPEM is Roots for what was read before.
func RootsFromPEM(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in PEM format in it")
	}
	return pool, nil
}

// Transport is an http.RoundTripper that reads answers to their end before it
// gives them, bounded, and notes them for Noting.
type Transport struct {
	h2 *http2.Transport
}

// New makes a transport. It dials when it is first used. It keeps to one
// connection: providers allow a thousand streams on it, and Apple takes many
// connections, or a rapid change of them, for an attack.
func New(cfg Config) *Transport {
	dialer := &net.Dialer{Timeout: dialTime}
	return &Transport{h2: &http2.Transport{
		TLSClientConfig:            &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots, Certificates: cfg.Certificates},
		StrictMaxConcurrentStreams: true,
		MaxHeaderListSize:          maxHeaders,
		IdleConnTimeout:            idleClose,
		ReadIdleTimeout:            idlePing,
		PingTimeout:                pingTime,
		WriteByteTimeout:           pingTime,
		DialTLSContext: func(ctx context.Context, network, addr string, cfg *tls.Config) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			conn, err := (&tls.Dialer{NetDialer: dialer, Config: cfg}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if p := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; p != http2.NextProtoTLS {
				conn.Close()
				return nil, errors.New("the server does not speak HTTP/2")
			}
			return conn, nil
		},
	}}
}

// RoundTrip sends one request and reads the whole answer.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	note, _ := r.Context().Value(noteKey{}).(*Note)
	resp, err := t.h2.RoundTrip(r)
	if err == nil {
		err = slurp(resp)
	}
	if note != nil {
		note.record(resp, err)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdleConnections closes connections that carry nothing now.
func (t *Transport) CloseIdleConnections() { t.h2.CloseIdleConnections() }

// slurp puts the whole body into memory. What is longer than any provider's
// answer is cut off, and does not parse then.
func slurp(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// Note is what came of one request.
type Note struct {
	Status     int // 0: there was no answer
	Body       []byte
	RetryAfter time.Duration
	Err        error // why there was no answer
}

type noteKey struct{}

// Noting gives a context whose request leaves a note.
func Noting(ctx context.Context) (context.Context, *Note) {
	n := new(Note)
	return context.WithValue(ctx, noteKey{}, n), n
}

// NoteOf gives the note of a context, or nil.
func NoteOf(ctx context.Context) *Note {
	n, _ := ctx.Value(noteKey{}).(*Note)
	return n
}

func (n *Note) record(resp *http.Response, err error) {
	*n = Note{Err: err}
	if err != nil {
		return
	}
	n.Status = resp.StatusCode
	n.RetryAfter = RetryAfter(resp.Header.Get("Retry-After"), time.Now())
	n.Body, _ = io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(n.Body))
}

// RetryAfter reads the header of that name (RFC 9110 §10.2.3), seconds or a
// date; 0 where it says nothing.
func RetryAfter(header string, now time.Time) time.Duration {
	if s, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(header); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
