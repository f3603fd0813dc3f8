package lab

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// RedisError is an error that Redis answered, for example "MOVED 42 127.0.0.1:7000".
type RedisError string

func (e RedisError) Error() string { return "redis: " + string(e) }

// Is reports whether the answer begins with this word: MOVED, ASK, NOAUTH …
func (e RedisError) Is(target error) bool {
	word, ok := target.(RedisError)
	return ok && (e == word || strings.HasPrefix(string(e), string(word)+" "))
}

// respConn speaks RESP2, one command after the other. The lab looks at servers
// with it to stay independent of the client that is tested against them.
type respConn struct {
	net.Conn
	in *bufio.Reader
}

// dial connects; the connection ends when ctx does.
func (r *Redis) dial(ctx context.Context) (*respConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if r.opt.TLS {
		pem, err := os.ReadFile(r.CAFile())
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(pem)
		conn = tls.Client(conn, &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"})
	}
	return &respConn{conn, bufio.NewReader(conn)}, nil
}

func (c *respConn) do(command ...string) (any, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return nil, err
	}
	return c.read()
}

func (c *respConn) read() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("lab: an empty line instead of an answer")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, RedisError(rest)
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("lab: %q is no answer", line)
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		b := make([]byte, n+2)
		_, err := io.ReadFull(c.in, b)
		return string(b[:n]), err
	case kind == '*':
		list := make([]any, n)
		for i := range list {
			var failed RedisError
			if list[i], err = c.read(); errors.As(err, &failed) {
				list[i] = failed // one of many, as EXEC answers it
			} else if err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("lab: %q is no answer", line)
}
