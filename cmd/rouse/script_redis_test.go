package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/servers/lab"
)

// startRedis starts a Redis and writes its address, with a password, into files of
// configuration.
func startRedis(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, -1, "redis FILE...")
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	dir := ts.MkAbs("redis")
	ts.Check(os.Mkdir(dir, 0o700))
	r, err := lab.StartRedis(ctx, lab.RedisOptions{Dir: dir, Persist: "always", Password: "open sesame"})
	ts.Check(err)
	ts.Defer(func() { r.Close() })
	for _, file := range args {
		text := fmt.Sprintf("%s\n[store]\nurl = %q\n", ts.ReadFile(file), r.URL())
		ts.Check(os.Remove(ts.MkAbs(file))) // with the mode it was unpacked with
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}
