package h2

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"17":                            17 * time.Second,
		"-3":                            0,
		"9999999999999":                 time.Duration(1<<31) * time.Second,
		"Sun, 01 Mar 2026 12:01:30 GMT": 90 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"soon":                          0,
	} {
		if got := RetryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "-1", "Sun, 01 Mar 2026 12:01:30 GMT", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := RetryAfter(s, time.Unix(0, 0)); d < 0 {
			t.Errorf("%q: %v", s, d)
		}
	})
}

// serve starts a server over TLS and gives a transport that trusts it.
func serve(t *testing.T, h2 bool, h http.HandlerFunc) (*httptest.Server, *Transport) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = h2
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := New(Config{Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	t.Cleanup(tr.Close)
	return s, tr
}

func TestNote(t *testing.T) {
	s, tr := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, strings.Repeat("x", 2*maxAnswer))
	})
	ctx, note := Noting(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) != maxAnswer || len(note.Body) != maxAnswer {
		t.Errorf("%d bytes given, %d noted, %v", len(body), len(note.Body), err)
	}
	if note.Status != http.StatusServiceUnavailable || note.RetryAfter != 7*time.Second || note.Err != nil {
		t.Errorf("noted %d, %v, %v", note.Status, note.RetryAfter, note.Err)
	}
}

func TestBodyCutShort(t *testing.T) {
	s, tr := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	ctx, note := Noting(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := tr.RoundTrip(r); err == nil || note.Err == nil || note.Status != 0 {
		t.Errorf("%v, %v; noted %d, %v", resp, err, note.Status, note.Err)
	}
}

func TestOnlyHTTP2(t *testing.T) {
	s, tr := serve(t, false, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.RoundTrip(r); err == nil {
		t.Error("HTTP/1 will do")
	}
}

// A server that takes connections and says nothing must not hold a dial for ever.
func TestDialHonoursTheContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tr := New(Config{})
	defer tr.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := tr.RoundTrip(r); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestRoots(t *testing.T) {
	if pool, err := Roots(""); pool != nil || err != nil {
		t.Error("no file means the system's", err)
	}
	if _, err := Roots(filepath.Join(t.TempDir(), "none.pem")); err == nil {
		t.Error("a file that is not there")
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Roots(empty); err == nil {
		t.Error("a file without certificates")
	}
}
