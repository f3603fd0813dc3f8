package lab_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

func startRedis(t *testing.T, opt lab.RedisOptions) *lab.Redis {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	r, err := lab.StartRedis(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// do wants an answer, and this one.
func do(t *testing.T, r *lab.Redis, want any, command ...string) {
	t.Helper()
	got, err := r.Do(t.Context(), command...)
	if err != nil || got != want {
		t.Fatalf("%s: %v, %v; want %v", strings.Join(command, " "), got, err, want)
	}
}

// eventually polls; what is waited for here takes a second or two.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 15 s: %s", what)
		}
	}
}

func TestRedisKeepsWhatItAppended(t *testing.T) {
	for _, persist := range []string{"always", "everysec"} {
		r := startRedis(t, lab.RedisOptions{Persist: persist})
		addr := r.Addr()
		do(t, r, "OK", "SET", "wake", "due")
		if err := r.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Do(t.Context(), "GET", "wake"); err == nil {
			t.Fatal("a killed server answered")
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.Addr() != addr {
			t.Errorf("it came back on %s, was on %s", r.Addr(), addr)
		}
		do(t, r, "due", "GET", "wake")
	}
}

func TestRedisWithoutPersistenceForgets(t *testing.T) {
	r := startRedis(t, lab.RedisOptions{MaxMemoryPolicy: "allkeys-lru", Config: []string{"maxmemory 100mb"}})
	do(t, r, "OK", "SET", "wake", "due")
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, r, nil, "GET", "wake")
	info, err := r.Info(t.Context(), "memory")
	if err != nil || info["maxmemory_policy"] != "allkeys-lru" || info["maxmemory"] != "104857600" {
		t.Errorf("policy %q, limit %q, %v", info["maxmemory_policy"], info["maxmemory"], err)
	}
}

func TestRedisPausedKeepsConnectionsAndIsSilent(t *testing.T) {
	r := startRedis(t, lab.RedisOptions{})
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var timeout net.Error
	if _, err := r.Do(ctx, "PING"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a paused server: %v, want a timeout", err)
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	do(t, r, "PONG", "PING")
	if err := errors.Join(r.Pause(), r.Stop(t.Context())); err != nil {
		t.Error("a paused server could not be stopped:", err)
	}
}

func TestRedisWithTLSAndUsers(t *testing.T) {
	const rules = "~rouse:* &* +@all -@dangerous"
	master := startRedis(t, lab.RedisOptions{TLS: true, Password: `open "sesame"`,
		Users: []lab.RedisUser{{Name: "rouse", Password: "s3cret", Rules: rules}}})
	if !strings.HasPrefix(master.URL(), "rediss://:open%20%22sesame%22@127.0.0.1:") {
		t.Error(master.URL())
	}
	replica := startRedis(t, lab.RedisOptions{ReplicaOf: master})
	as := func(password string, command ...string) error {
		_, err := master.DoAs(t.Context(), "rouse", password, command...)
		return err
	}
	if err := as("s3cret", "SET", "rouse:1", "x"); err != nil {
		t.Error(err)
	}
	if err := as("s3cret", "SET", "other", "x"); !errors.Is(err, lab.RedisError("NOPERM")) {
		t.Errorf("somebody else's key: %v", err)
	}
	if err := as("guess", "GET", "rouse:1"); !errors.Is(err, lab.RedisError("WRONGPASS")) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := master.DoAs(t.Context(), "default", "", "PING"); !errors.Is(err, lab.RedisError("NOAUTH")) {
		t.Errorf("no password: %v", err)
	}
	eventually(t, "the replica has the key", func() bool {
		got, err := replica.Do(t.Context(), "GET", "rouse:1")
		return err == nil && got == "x"
	})
	if _, err := replica.Do(t.Context(), "SET", "rouse:1", "y"); !errors.Is(err, lab.RedisError("READONLY")) {
		t.Errorf("writing to a replica: %v", err)
	}
}

func TestRedisThatCannotStartSaysWhy(t *testing.T) {
	_, err := lab.StartRedis(t.Context(), lab.RedisOptions{Dir: t.TempDir(), Config: []string{"no-such-directive 1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Fatal(err)
	}
}
