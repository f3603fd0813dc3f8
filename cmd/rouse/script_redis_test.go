package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/servers/lab"
	"rouse/store"
)

// startRedis runs a Redis in the directory NAME, with further lines of redis.conf,
// and puts its address into $NAME.
func (g *stage) startRedis(ts *testscript.TestScript, args []string) {
	name := args[0]
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	o := lab.RedisOptions{Dir: filepath.Join(ts.MkAbs("."), strings.ToLower(name)), Persist: "always", Password: "open sesame", Config: args[1:]}
	r, err := lab.StartRedis(ctx, o)
	ts.Check(err)
	ts.Defer(func() { r.Close() })
	if g.redis == nil {
		g.redis = make(map[string]*lab.Redis)
	}
	g.redis[name] = r
	ts.Setenv(name, r.URL())
	ts.Setenv(name+"_ADDRESS", r.Addr())
}

// storeIn writes an address, which may have a password, into files of configuration.
func storeIn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, -1, "storein URL FILE...")
	for _, file := range args[1:] {
		text := fmt.Sprintf("%s\n[store]\nurl = %q\n", ts.ReadFile(file), args[0])
		ts.Check(os.Remove(ts.MkAbs(file))) // with the mode it was unpacked with
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

var ofOwner = regexp.MustCompile(`\{[^}]*@[^}]*\}`)

// redisCommand gives a Redis a command. {user@host} is the shard of that owner. The
// answer goes to stdout.
func (g *stage) redisCommand(ts *testscript.TestScript, args []string) {
	r := g.redis[args[0]]
	if r == nil {
		ts.Fatalf("there is no Redis %q", args[0])
	}
	var words []string
	for _, w := range args[1:] {
		words = append(words, ofOwner.ReplaceAllStringFunc(w, func(owner string) string {
			return fmt.Sprintf("{%d}", store.Shard(strings.Trim(owner, "{}")))
		}))
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	answer, err := r.Do(ctx, words...)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), answer)
}

// redisInfo waits until a section of a Redis' INFO matches.
func (g *stage) redisInfo(ts *testscript.TestScript, args []string) {
	r := g.redis[args[0]]
	if r == nil {
		ts.Fatalf("there is no Redis %q", args[0])
	}
	want := regexp.MustCompile(args[2])
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	for {
		answer, err := r.Do(ctx, "INFO", args[1])
		ts.Check(err)
		if text, _ := answer.(string); want.MatchString(strings.ReplaceAll(text, "\r", "")) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// endRedis has a Redis end: TERM as an administrator ends it, KILL as a crash does.
func (g *stage) endRedis(ts *testscript.TestScript, args []string) {
	r := g.redis[args[1]]
	if r == nil {
		ts.Fatalf("there is no Redis %q", args[1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	switch args[0] {
	case "KILL":
		ts.Check(r.Kill())
	case "TERM":
		ts.Check(r.Stop(ctx))
	default:
		ts.Fatalf("no signal %q", args[0])
	}
}

// againRedis starts a Redis that has ended, with the files that are there.
func (g *stage) againRedis(ts *testscript.TestScript, args []string) {
	r := g.redis[args[0]]
	if r == nil {
		ts.Fatalf("there is no Redis %q", args[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	ts.Check(r.Start(ctx))
}

// keys counts what is in the Redis of an address; 0 while it does not answer.
func (g *stage) keys(url string) int {
	for _, r := range g.redis {
		if r.URL() != url {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, _ := r.Do(ctx, "DBSIZE")
		count, _ := n.(int64)
		return int(count)
	}
	return 0
}
