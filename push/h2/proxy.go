package h2

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ProxyError is what kept a proxy from connecting us. It never holds the
// proxy's password.
type ProxyError struct {
	Proxy  string // host:port
	Status int    // answered; 0: it was not reached
	Err    error  // Status 0: why
}

func (e *ProxyError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("proxy %s: %v", e.Proxy, e.Err)
	}
	return fmt.Sprintf("proxy %s answers %d %s", e.Proxy, e.Status, http.StatusText(e.Status))
}

func (e *ProxyError) Unwrap() error { return e.Err }

// Remedy says what an operator can do about it.
func (e *ProxyError) Remedy() string {
	switch e.Status {
	case 0:
		return "look at push.proxy: is it the address of a proxy that runs?"
	case http.StatusProxyAuthRequired:
		return "look at push.proxy_user and push.proxy_password_file"
	}
	return "the proxy has to allow CONNECT to port 443 of the provider"
}

// dialRaw connects to an address, through the proxy where there is one.
func dialRaw(ctx context.Context, proxy *url.URL, address string) (net.Conn, error) {
	var d net.Dialer
	if proxy == nil {
		return d.DialContext(ctx, "tcp", address)
	}
	port := proxy.Port()
	if port == "" {
		port = "80"
	}
	at := net.JoinHostPort(proxy.Hostname(), port)
	conn, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, &ProxyError{Proxy: at, Err: err}
	}
	status, err := tunnel(ctx, conn, proxy.User, address)
	if err != nil || status != http.StatusOK {
		conn.Close()
		return nil, &ProxyError{Proxy: at, Status: status, Err: err}
	}
	return conn, nil
}

// tunnel asks a proxy to connect us (RFC 9110 §9.3.6), and gives its status.
func tunnel(ctx context.Context, conn net.Conn, user *url.Userinfo, address string) (int, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: make(http.Header)}
	if user != nil {
		password, _ := user.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return 0, cause(ctx, err)
	}
	in := bufio.NewReader(io.LimitReader(conn, maxHeaders))
	resp, err := http.ReadResponse(in, r)
	switch {
	case err != nil:
		return 0, cause(ctx, err)
	case resp.StatusCode == http.StatusOK && in.Buffered() > 0:
		return 0, errors.New("it speaks before we do") // a server of TLS would not
	case resp.StatusCode == http.StatusOK && !stop():
		return 0, cause(ctx, context.Canceled) // the deadline is set already
	}
	return resp.StatusCode, nil
}

// cause is the reason for a deadline that only stands in for the end of ctx.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
