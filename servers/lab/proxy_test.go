package lab_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"rouse/servers/lab"
)

// echo answers every line with the same line.
type echo struct {
	net.Listener
	all sync.WaitGroup
}

func (e *echo) serve() {
	for {
		c, err := e.Accept()
		if err != nil {
			return
		}
		e.all.Go(func() {
			defer c.Close()
			io.Copy(c, c)
		})
	}
}

// throughProxy is an echo and a proxy before it.
func throughProxy(t *testing.T) *lab.Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	e.all.Go(e.serve)
	p, err := lab.NewProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), l.Close()); err != nil {
			t.Error(err)
		}
		e.all.Wait()
	})
	return p
}

// proxyBefore is a proxy to a server that runs.
func proxyBefore(t *testing.T, addr string) *lab.Proxy {
	t.Helper()
	p, err := lab.NewProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// caller says lines and hears the answers.
type caller struct {
	*testing.T
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, p *lab.Proxy) *caller {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &caller{t, c, bufio.NewReader(c)}
}

func (c *caller) say(line string) {
	c.Helper()
	if _, err := io.WriteString(c.Conn, line+"\n"); err != nil {
		c.Fatal(err)
	}
}

func (c *caller) hear(want string) {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := c.in.ReadString('\n'); got != want+"\n" || err != nil {
		c.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// silent hears nothing for a moment, on a connection that is open.
func (c *caller) silent() {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if b, err := c.in.ReadByte(); !errors.As(err, &timeout) || !timeout.Timeout() {
		c.Fatalf("heard %q, %v; want nothing", b, err)
	}
}

func (c *caller) broken() {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := c.in.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		c.Fatalf("heard %q, %v; want a reset", b, err)
	}
}

func TestProxyCutsAndRefuses(t *testing.T) {
	p := throughProxy(t)
	a, b := call(t, p), call(t, p)
	a.say("one")
	a.hear("one")
	b.say("two")
	b.hear("two")
	if n := p.Cut(); n != 2 {
		t.Errorf("cut %d connections, want 2", n)
	}
	a.broken()
	b.broken()

	c := call(t, p)
	c.say("three")
	c.hear("three")
	if err := p.Refuse(true); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want it refused", err)
	}
	c.say("still here")
	c.hear("still here")
	if err := p.Refuse(false); err != nil {
		t.Fatal(err)
	}
	d := call(t, p)
	d.say("four")
	d.hear("four")
	if s := p.Stats(); s.Accepted != 4 || s.Open != 2 || s.Cut != 2 || s.ToServer != 30 || s.ToClient != 30 {
		t.Errorf("%+v", s)
	}
}

func TestProxyDelaysBothWays(t *testing.T) {
	p := throughProxy(t)
	c := call(t, p)
	p.Delay(50 * time.Millisecond)
	began := time.Now()
	for range 20 { // at once: a path is long, not narrow
		c.say("far away")
	}
	for range 20 {
		c.hear("far away")
	}
	if took := time.Since(began); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("there and back took %v, want a little more than 100ms", took)
	}
}

func TestProxyStallsAndGoesOn(t *testing.T) {
	p := throughProxy(t)
	old := call(t, p)
	old.say("before")
	old.hear("before")
	p.Stall(true)
	fresh := call(t, p)
	old.say("old")
	fresh.say("new")
	old.silent()
	fresh.silent()
	p.Stall(false)
	old.hear("old")
	fresh.hear("new")

	p.Stall(true)
	old.say("lost")
	old.silent()
	p.Cut()
	old.broken()
	if s := p.Stats(); s.ToServer != int64(len("before\nold\nnew\n")) {
		t.Errorf("%d bytes reached the server", s.ToServer)
	}
}

// The most wicked fault: the server has done it, and the client does not learn so.
func TestProxyDropsAnswersOfARealRedis(t *testing.T) {
	r := startRedis(t, lab.RedisOptions{})
	p := proxyBefore(t, r.Addr())
	c := call(t, p)
	c.say("INCR wakes")
	c.hear(":1\r")
	p.DropAnswers(2)
	c.say("INCR wakes")
	eventually(t, "Redis has done it", func() bool {
		got, err := r.Do(t.Context(), "GET", "wakes")
		return err == nil && got == "2"
	})
	eventually(t, "the rest of the answer is dropped", func() bool { return p.Stats().Dropped == 2 })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 2)
	if _, err := io.ReadFull(c.in, b); err != nil || string(b) != ":2" {
		t.Errorf("%q, %v", b, err)
	}
	p.KeepAnswers()
	c.say("PING")
	c.silent()
	again := call(t, p)
	again.say("GET wakes")
	again.hear("$1\r")
}

// A client that lost its connection can greet the server; what it asks for is
// done, and only that is not answered.
func TestProxyDropsAnswersToAWord(t *testing.T) {
	r := startRedis(t, lab.RedisOptions{})
	p := proxyBefore(t, r.Addr())
	p.DropAnswersTo("INCR")
	other := call(t, p)
	c := call(t, p)
	c.say("PING")
	c.hear("+PONG\r")
	c.say("incr wakes")
	eventually(t, "Redis has done it", func() bool {
		got, err := r.Do(t.Context(), "GET", "wakes")
		return err == nil && got == "1"
	})
	c.silent()
	other.say("GET wakes")
	other.hear("$1\r")
	p.KeepAnswers()
	other.hear("1\r")
	other.say("INCR wakes")
	other.hear(":2\r")
}

func TestProxyWithoutServer(t *testing.T) {
	port, release, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	p, err := lab.NewProxy((&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", p.Addr()); err == nil { // the reset can be faster than dial
		(&caller{t, c, bufio.NewReader(c)}).broken()
		c.Close()
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Unreachable != 1 || s.Open != 0 {
		t.Errorf("%+v", s)
	}
}
