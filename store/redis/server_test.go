package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// server is a Redis of a test's own.
type server struct {
	addr   string
	client *goredis.Client
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a Redis until the test ends.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (apt-get install -y --no-install-recommends redis-server)", err)
	}
	s := &server{addr: addr, client: goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2, MaxRetries: -1})}
	t.Cleanup(func() {
		s.client.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for s.client.Ping(context.Background()).Err() != nil {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return s
}

// open opens the store that is in the server.
func (s *server) open(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Addrs: []string{s.addr}, Process: "p" + strconv.Itoa(os.Getpid())}
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

// empty opens a store with nothing in it.
func (s *server) empty(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	if err := s.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return s.open(t, change...)
}

var _ = fmt.Sprint
