// Package h2 is how providers are reached: HTTP/2 over TLS (RFC 9113), one
// connection with a bound on everything, and a note of each answer for callers
// whose client library keeps it to itself.
package h2

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"time"
)

// maxAnswer is far more than any provider has to say.
const maxAnswer = 64 << 10

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

// RoundTrip sends one request, once, and reads the whole answer.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(r)
	if note := NoteOf(r.Context()); note != nil {
		note.record(resp, err)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (t *Transport) roundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	conn, err := t.reserve(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	defer t.release()
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	asked := time.Now()
	resp, err := conn.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.Date(resp.Header, asked)
	return resp, slurp(resp)
}

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
