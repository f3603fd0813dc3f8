package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Limits of the server.
const (
	maxConns      = 64
	maxHeader     = 16 << 10 // bytes
	maxScrapes    = 4        // at once
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
	fleetTimeout  = 5 * time.Second

	// DrainTime is how long requests may go on after the end was asked for.
	DrainTime = 5 * time.Second
)

// Options are what a Server needs. All are required.
type Options struct {
	Version string
	Started time.Time
	Status  func() Status                      // how this process is now; does not block
	Fleet   func(context.Context) (any, error) // what /status.json tells of all processes, as JSON has it; asks the store
	Metrics *Metrics
	Log     *slog.Logger
}

// Server answers over HTTP.
type Server struct {
	o       Options
	handler http.Handler
}

// NewServer prepares a server; Run runs it.
func NewServer(o Options) *Server {
	s := &Server{o: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.overview)
	mux.HandleFunc("GET /style.css", style)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /status.json", s.fleet)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics.registry, promhttp.HandlerOpts{
		Registry:            o.Metrics.registry,
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             readTimeout,
	}))
	s.handler = headers(mux)
	return s
}

// Listen opens the address of web.listen.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w; name a free address of this machine", err)
	}
	return ln, nil
}

// Handler is what the server answers with, for those who have a server already.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves until ctx ends, then lets requests finish for DrainTime, and returns
// when all is closed, the listener too. The error is nil unless serving failed or
// requests had to be cut.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(netutil.LimitListener(ln, maxConns)) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("web: %w", err), srv.Close())
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTime)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("web: requests were cut: %w", err), srv.Close())
	}
	<-served
	return err
}

// headers are the same for every answer: nothing is kept, framed or run.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		next.ServeHTTP(w, r)
	})
}

// healthz says that the process is alive, whatever else is wrong: restarting it
// would not bring a store or a server back.
func healthz(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "alive\n") }

// fleet is for programs, and for rouse status.
func (s *Server) fleet(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), fleetTimeout)
	defer cancel()
	report, err := s.o.Fleet(ctx)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "the store does not answer: %v\n", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(report); err != nil {
		s.o.Log.Debug("the fleet's status was not sent", "err", err)
	}
}

//go:embed style.css
var css string

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	io.WriteString(w, css)
}
