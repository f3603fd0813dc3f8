package pushtest

import (
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// Proxy is an HTTP proxy that connects whoever asks (CONNECT), and nothing else.
type Proxy struct {
	listener net.Listener
	http     *http.Server
	wants    string // Proxy-Authorization; empty: nothing
	tasks    sync.WaitGroup

	mu    sync.Mutex
	asked []string
	open  map[net.Conn]bool
	ended bool
}

// NewProxy starts one on a free port. With a user, it wants to know that and the
// password.
func NewProxy(user, password string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: ln, open: make(map[net.Conn]bool)}
	if user != "" {
		p.wants = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	p.http = &http.Server{Handler: p}
	p.tasks.Go(func() { p.http.Serve(ln) })
	return p, nil
}

// URL is the proxy's address.
func (p *Proxy) URL() *url.URL { return &url.URL{Scheme: "http", Host: p.listener.Addr().String()} }

// Asked lists where it was asked to connect to.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Close cuts all tunnels.
func (p *Proxy) Close() error {
	err := p.http.Close()
	p.mu.Lock()
	p.ended = true
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.tasks.Wait()
	return err
}

// ServeHTTP opens a tunnel.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodConnect:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case p.wants != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Proxy-Authorization")), []byte(p.wants)) != 1:
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, r.Host)
	p.mu.Unlock()
	there, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		there.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		here.Close()
		there.Close()
		return
	}
	p.open[here], p.open[there] = true, true
	p.tasks.Go(func() {
		io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		p.carry(there, here)
	})
	p.tasks.Go(func() { p.carry(here, there) })
}

// carry copies one way; the end of it is the end of the tunnel.
func (p *Proxy) carry(to, from net.Conn) {
	io.Copy(to, from)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range []net.Conn{to, from} {
		c.Close()
		delete(p.open, c)
	}
}
