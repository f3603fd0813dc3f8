package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var well = Status{
	Store:     Part{State: Up},
	Link:      Part{State: Up},
	Listeners: []Part{{Name: "web", State: Up}},
	Apps:      []Part{{Name: "chat-ios", State: Up}},
}

func with(change func(*Status)) Status {
	s := well
	change(&s)
	return s
}

func newTestServer(t *testing.T, status func() Status, count CountFunc) *Server {
	t.Helper()
	m, _ := newTestMetrics(t, count)
	fleet := func(context.Context) (any, error) { return map[string]int{"pending": 3}, nil }
	return NewServer(Options{Version: "1.2.3", Started: time.Now(), Status: status, Fleet: fleet, Metrics: m, Log: slog.New(slog.DiscardHandler)})
}

func get(s *Server, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestReadyz(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status Status
		code   int
		text   string
	}{
		{"all is well", well, 200, "ready, link up\nstore                up\nlink                 up\nweb                  up\nchat-ios             up\n"},
		{"standing by", with(func(s *Status) { s.Link.State = StandingBy }), 200, "ready, link standing by\n"},
		{"standing by for one that is known", with(func(s *Status) { s.Link = Part{State: StandingBy, Cause: "mx1 (pid 4711) has it"} }), 200,
			"ready, link standing by: mx1 (pid 4711) has it\nstore                up\nlink                 standing by: mx1 (pid 4711) has it\n"},
		{"being retried", with(func(s *Status) { s.Link = Part{State: Retrying, Cause: "connection refused"} }), 200, "link                 being retried: connection refused\n"},
		{"no component configured", with(func(s *Status) { s.Link.State = Unused }), 200, "ready, link not configured\n"},
		{"an app's key is refused", with(func(s *Status) { s.Apps = []Part{{Name: "chat-ios", State: Down, Cause: "BadCredentials"}} }), 200, "chat-ios             down: BadCredentials\n"},
		{"not yet", with(func(s *Status) { s.Link.State = Starting }), 503, "not ready\n"},
		{"nothing is known", Status{}, 503, "not ready\n"},
		{"store down", with(func(s *Status) { s.Store = Part{State: Down, Cause: "disk full"} }), 503, "store                down: disk full\n"},
		{"listener down", with(func(s *Status) { s.Listeners = []Part{{Name: "web", State: Starting}} }), 503, "not ready\n"},
		{"link down for good", with(func(s *Status) { s.Link.State = Down }), 503, "not ready\n"},
		{"draining", with(func(s *Status) { s.Draining = true }), 503, "draining\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestServer(t, func() Status { return tt.status }, nothing)
			w := get(s, "/readyz")
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("got %d\n%s\nwant %d with\n%s", w.Code, w.Body, tt.code, tt.text)
			}
			w = get(s, "/readyz", "Accept", "application/json")
			var got struct {
				Ready   bool
				Version string
				Status
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if w.Code != tt.code || got.Ready != (tt.code == 200) || got.Version != "1.2.3" ||
				got.Link != tt.status.Link || got.Store != tt.status.Store || got.Draining != tt.status.Draining {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestHealthzWhateverIsWrong(t *testing.T) {
	s := newTestServer(t, func() Status { return Status{Draining: true} }, nothing)
	if w := get(s, "/healthz"); w.Code != 200 || w.Body.String() != "alive\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestPaths(t *testing.T) {
	s := newTestServer(t, func() Status { return well }, nothing)
	for path, typ := range map[string]string{
		"/": "text/html", "/style.css": "text/css", "/healthz": "text/plain", "/readyz": "text/plain", "/metrics": "text/plain", "/status.json": "application/json",
	} {
		w := get(s, path)
		h := w.Header()
		if w.Code != 200 || !strings.HasPrefix(h.Get("Content-Type"), typ) {
			t.Errorf("%s: %d %s", path, w.Code, h.Get("Content-Type"))
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	if w := get(s, "/nothing"); w.Code != 404 {
		t.Errorf("/nothing: %d", w.Code)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/readyz", nil))
	if w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	if w := get(s, "/metrics"); !strings.Contains(w.Body.String(), "rouse_outbox_depth 0\n") {
		t.Errorf("/metrics:\n%s", w.Body)
	}
}

func TestOverview(t *testing.T) {
	status := with(func(s *Status) { s.Link = Part{State: Retrying, Cause: "<b>refused</b>"} })
	s := newTestServer(t, func() Status { return status }, func(context.Context) (Counts, error) {
		return Counts{Pending: 3, OldestDue: time.Now().Add(-time.Minute), Endpoints: map[EndpointKind]int{{"apns", Live}: 4, {"fcm", Live}: 1, {"fcm", Dead}: 2}}, nil
	})
	page := get(s, "/").Body.String()
	for _, want := range []string{
		"<h1>rouse: ready, link being retried</h1>", "Version 1.2.3, up for 0s.", "&lt;b&gt;refused&lt;/b&gt;",
		"<td>3</td><td>the oldest is late by 1m0s</td>", "<td>5</td><td>and 2 dead</td>", "sessions hibernated", "chat-ios",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	s = newTestServer(t, func() Status { return well }, func(context.Context) (Counts, error) { return Counts{}, errors.New("closed") })
	page = get(s, "/").Body.String()
	if !strings.Contains(page, "The store does not answer") || strings.Contains(page, "wakes owed") {
		t.Errorf("without a store:\n%s", page)
	}
}

func TestFleet(t *testing.T) {
	s := newTestServer(t, func() Status { return well }, nothing)
	if w := get(s, "/status.json"); w.Code != 200 || w.Body.String() != "{\"pending\":3}\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	s.o.Fleet = func(ctx context.Context) (any, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a store may take for ever")
		}
		return nil, errors.New("connection refused")
	}
	if w := get(s, "/status.json"); w.Code != 503 || w.Body.String() != "the store does not answer: connection refused\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestRunDrains: a request that is under way when the end comes is answered, a
// later one is not taken.
func TestRunDrains(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := newTestServer(t, func() Status {
		close(arrived)
		<-release
		return with(func(s *Status) { s.Draining = true })
	}, nothing)
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx, ln) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	type answer struct {
		code int
		body string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := client.Get("http://" + ln.Addr().String() + "/readyz")
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answered <- answer{resp.StatusCode, string(body), err}
	}()
	<-arrived
	stop()
	for { // until the listener is closed, which is the first thing that draining does
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-ran:
		t.Fatalf("Run returned %v before the request was answered", err)
	default:
	}
	close(release)
	if a := <-answered; a.err != nil || a.code != 503 || !strings.HasPrefix(a.body, "draining\n") {
		t.Errorf("the request under way got %+v", a)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// pipes is a listener without sockets, so that time can be ours.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestRunCutsWhatDoesNotEnd: draining has an end.
func TestRunCutsWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := newTestServer(t, func() Status { <-release; return well }, nothing)
		ln := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx, ln) }()
		client, server := net.Pipe()
		defer client.Close()
		ln.conns <- server
		if _, err := io.WriteString(client, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the request hangs in Status
		asked := time.Now()
		stop()
		if err := <-ran; !errors.Is(err, context.DeadlineExceeded) || time.Since(asked) != DrainTime {
			t.Errorf("Run returned %v after %v", err, time.Since(asked))
		}
		close(release)
	})
}

func TestRunSaysWhyItFailed(t *testing.T) {
	s := newTestServer(t, func() Status { return well }, nothing)
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), ln.Addr().String()); err == nil || !strings.HasPrefix(err.Error(), "web.listen: ") {
		t.Errorf("a taken address: %v", err)
	}
	ln.Close()
	if err := s.Run(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
}
