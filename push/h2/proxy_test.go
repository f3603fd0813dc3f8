package h2

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rouse/push/pushtest"
)

// get makes one request through a transport with a proxy.
func get(t *testing.T, s *httptest.Server, proxy *url.URL) (string, error) {
	t.Helper()
	tr := New(Config{Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Proxy: proxy})
	defer tr.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestThroughAProxy(t *testing.T) {
	s, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	host := strings.TrimPrefix(s.URL, "https://")
	for name, c := range map[string]struct {
		user, password string // that the proxy wants
		ours           *url.Userinfo
		want           int // status of the refusal; 0: none
	}{
		"open":             {},
		"with a password":  {"rouse", "hunter2", url.UserPassword("rouse", "hunter2"), 0},
		"another password": {"rouse", "hunter2", url.UserPassword("rouse", "hunter3"), http.StatusProxyAuthRequired},
		"none":             {"rouse", "hunter2", nil, http.StatusProxyAuthRequired},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pushtest.NewProxy(c.user, c.password)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			u := p.URL()
			u.User = c.ours
			got, err := get(t, s, u)
			if c.want == 0 {
				if err != nil || got != "here" || len(p.Asked()) != 1 || p.Asked()[0] != host {
					t.Errorf("%q, %v; asked for %v", got, err, p.Asked())
				}
				return
			}
			var refused *ProxyError
			if !errors.As(err, &refused) || refused.Status != c.want || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%v", err)
			}
			if refused != nil && !strings.Contains(refused.Remedy(), "proxy_password_file") {
				t.Errorf("remedy %q", refused.Remedy())
			}
		})
	}
}

// The environment is not asked: what is not in the configuration is not used.
func TestNoProxyFromTheEnvironment(t *testing.T) {
	p, err := pushtest.NewProxy("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, p.URL().String())
	}
	s, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	if got, err := get(t, s, nil); got != "here" || err != nil || len(p.Asked()) != 0 {
		t.Errorf("%q, %v, asked for %v", got, err, p.Asked())
	}
}

// Proxies that are none: each ends the dial in time and says whose fault it is.
func TestProxiesThatAreNone(t *testing.T) {
	s, _ := serve(t, true, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") })
	for name, answer := range map[string]string{
		"says nothing":      "",
		"not HTTP":          "220 mail.example.org ESMTP\r\n",
		"endless header":    "HTTP/1.1 200 OK\r\nx: " + strings.Repeat("x", 2*maxHeaders),
		"speaks on":         "HTTP/1.1 200 OK\r\n\r\nHello!",
		"refuses, politely": "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var tasks sync.WaitGroup
			defer tasks.Wait()
			defer ln.Close()
			tasks.Go(func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				io.WriteString(conn, answer)
				io.Copy(io.Discard, conn)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			conn, err := dialRaw(ctx, &url.URL{Scheme: "http", Host: ln.Addr().String()}, strings.TrimPrefix(s.URL, "https://"))
			var refused *ProxyError
			if !errors.As(err, &refused) || refused.Remedy() == "" {
				t.Fatalf("%v, %v", conn, err)
			}
			if name == "says nothing" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := get(t, s, &url.URL{Scheme: "http", Host: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "proxy 127.0.0.1:1") {
		t.Errorf("nobody there: %v", err)
	}
}
