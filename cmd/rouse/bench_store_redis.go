package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rouse/config"
	"rouse/session"
	"rouse/store"
)

// floorKey is where the floors write; its shard is that of the key.
const floorKey = "m:bench"

// redis measures a Redis that has nothing in it.
func (b *storeBench) redis(ctx context.Context) (*storeSubject, error) {
	s, err := config.StoreAt(b.url, "", "")
	if err != nil {
		return nil, err
	}
	if s.Redis == nil || s.Redis.Mode != config.Standalone {
		return nil, usage{text: "bench store: --redis names no single Redis", hint: "rouse bench store --redis redis://127.0.0.1:6379/9"}
	}
	o, err := redisOptions(s)
	if err != nil {
		return nil, err
	}
	st, err := openRedis(ctx, s, storeUser{log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return nil, err
	}
	if err := unused(ctx, st, s.Name); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	c := goredis.NewClient(&goredis.Options{Addr: o.Addrs[0], DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
		Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	f := &redisFloor{c: c, key: fmt.Sprintf("{%d}%s", store.Shard("bench"), floorKey)}
	subject := &storeSubject{tally: f.tally, paths: []storePath{rousePath(st), {"SET", f.set}, {"EVALSHA", f.script}}}
	subject.close = func(ctx context.Context) error {
		return errors.Join(c.Del(ctx, f.key).Err(), forgetBench(ctx, st), st.Close(), c.Close())
	}
	if err := f.fit(ctx, st); err != nil {
		return nil, errors.Join(err, subject.close(ctx))
	}
	return subject, nil
}

// unused wants a store with nothing in it.
func unused(ctx context.Context, st store.Store, name string) error {
	for item, err := range st.Items(ctx) {
		if err != nil {
			return err
		}
		what := item.Owner.Key + item.Registration.Node + item.Reporter.Host + item.Name
		return usage{text: fmt.Sprintf("bench store: %s is in use, it has %s", name, what), hint: "name an empty database, like redis://127.0.0.1:6379/9"}
	}
	return nil
}

// forgetBench takes the bench's accounts out again.
func forgetBench(ctx context.Context, st store.Store) error {
	for key, err := range st.Owners(ctx, nobodysHost) {
		if err != nil {
			return err
		}
		o, err := st.Load(ctx, key)
		if err == nil {
			_, err = st.Commit(ctx, store.Commit{Key: key, Version: o.Version, Account: session.Account{}, Forget: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// redisFloor is what Redis can do for as many bytes: one command for each decision, so
// many of them in one round trip as decisions are in flight.
type redisFloor struct {
	c      *goredis.Client
	key    string
	value  string
	loaded *goredis.Script
}

// fit makes the value so long that a command has as many bytes as a decision has.
func (f *redisFloor) fit(ctx context.Context, st store.Store) error {
	const decisions = 200
	if err := decide(ctx, st, 1, 20); err != nil {
		return err
	}
	before, err := f.tally(ctx)
	if err != nil {
		return err
	}
	if err := decide(ctx, st, 1, decisions); err != nil {
		return err
	}
	after, err := f.tally(ctx)
	if err != nil {
		return err
	}
	const frame = 60 // of a SET, without its value
	f.value = strings.Repeat("x", max((after.bytes-before.bytes)/decisions-frame, 1))
	f.loaded = goredis.NewScript("return redis.call('SET', KEYS[1], ARGV[1])")
	return f.loaded.Load(ctx, f.c).Err()
}

func (f *redisFloor) set(ctx context.Context, callers, n int) error {
	return f.pipelined(ctx, callers, n, func(p goredis.Pipeliner) { p.Set(ctx, f.key, f.value, 0) })
}

func (f *redisFloor) script(ctx context.Context, callers, n int) error {
	return f.pipelined(ctx, callers, n, func(p goredis.Pipeliner) { f.loaded.EvalSha(ctx, p, []string{f.key}, f.value) })
}

func (f *redisFloor) pipelined(ctx context.Context, together, n int, add func(goredis.Pipeliner)) error {
	for n > 0 {
		p := f.c.Pipeline()
		for range min(n, together) {
			add(p)
		}
		n -= p.Len()
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tally adds what Redis counts of itself.
func (f *redisFloor) tally(ctx context.Context) (storeTally, error) {
	t, err := ownTally(ctx)
	if err != nil {
		return t, err
	}
	p := f.c.Pipeline()
	var sections []*goredis.StringCmd
	for _, name := range []string{"cpu", "stats", "commandstats"} {
		sections = append(sections, p.Info(ctx, name))
	}
	if _, err := p.Exec(ctx); err != nil {
		return t, err
	}
	fields := make(map[string]string)
	for _, s := range sections {
		for line := range strings.Lines(s.Val()) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			fields[name] = value
		}
	}
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(fields[name], 64)
		if err != nil {
			return t, fmt.Errorf("%s of INFO: %w", name, err)
		}
		t.server += time.Duration(seconds * float64(time.Second))
	}
	t.reads, _ = strconv.Atoi(fields["total_reads_processed"])
	t.bytes, _ = strconv.Atoi(fields["total_net_input_bytes"])
	for name, value := range fields {
		count, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		calls, _ := strconv.Atoi(count)
		switch name {
		case "cmdstat_evalsha", "cmdstat_eval", "cmdstat_wait", "cmdstat_waitaof":
			t.scripts += calls
		case "cmdstat_set":
			t.sets += calls
		}
	}
	return t, nil
}
