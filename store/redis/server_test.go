package redis

import (
	"context"
	"net"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"rouse/servers/lab"
)

func TestMain(m *testing.M) {
	// A pool of go-redis whose server is gone looks each second whether it is back, and
	// sees only then that it was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// server is a Redis of a test's own.
type server struct {
	*lab.Redis
	client *goredis.Client
}

// start runs a Redis until the test ends; it flushes its file before it answers.
func start(t testing.TB, change ...func(*lab.RedisOptions)) *server {
	t.Helper()
	o := lab.RedisOptions{Dir: t.TempDir(), Persist: "always"}
	for _, c := range change {
		c(&o)
	}
	r, err := lab.StartRedis(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{r, client(r.Addr(), o.Password)}
	t.Cleanup(func() {
		s.client.Close()
		r.Close()
	})
	return s
}

// client is one that knows nothing of the store.
func client(addr, password string) *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: addr, Password: password, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
}

// inMemory is a Redis that writes nothing to the disk.
func inMemory(o *lab.RedisOptions) { o.Persist = "" }

// open opens the store that is in the server.
func (s *server) open(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	return openAt(t, Options{Addrs: []string{s.Addr()}}, change...)
}

func openAt(t testing.TB, o Options, change ...func(*Options)) *Store {
	t.Helper()
	for _, c := range change {
		c(&o)
	}
	st, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// process opens the store as one of several.
func process(id string) func(*Options) { return func(o *Options) { o.Process = id } }

// empty opens a store with nothing in it.
func (s *server) empty(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	flush(t, s.client)
	return s.open(t, change...)
}

func flush(t testing.TB, c *goredis.Client) {
	t.Helper()
	if err := c.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
}

// through opens the store over a path that can be disturbed.
func (s *server) through(t testing.TB) (*lab.Proxy, func(*Options)) {
	t.Helper()
	p, err := lab.NewProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, func(o *Options) { o.Addrs = []string{p.Addr()} }
}

// nobodyListens is an address without a server.
func nobodyListens(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func contextFor(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
