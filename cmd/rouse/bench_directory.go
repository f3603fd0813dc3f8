package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
	"rouse/directory/dirlab"
	"rouse/directory/follow"
	"rouse/directory/snapshot"
)

// directoryBench is one call of rouse bench directory.
type directoryBench struct {
	users, repeats int
	json           bool
}

// directoryFigures are what it prints. Their names are stable.
type directoryFigures struct {
	Users    int     `json:"users"`
	Search   float64 `json:"search_s"`  // a plain paged search of the same attributes: median
	Refresh  float64 `json:"refresh_s"` // until all is compared and written down: median
	Ratio    float64 `json:"ratio"`     // median of the runs' ratios
	Snapshot float64 `json:"snapshot_bytes_per_user"`
	Sweep    float64 `json:"sweep_cpu_ms"` // for what runs out, all users once
}

const maxDirectoryUsers = 1_000_000

func benchDirectory(streams stdio, args []string) error {
	b := directoryBench{}
	fs := flag.NewFlagSet("bench directory", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&b.users, "users", 100_000, "so many users, `N`")
	fs.IntVar(&b.repeats, "repeats", 5, "`N` runs of each path, in turn")
	fs.BoolVar(&b.json, "json", false, "one JSON object")
	if err := parseFlags(fs, "bench", "bench directory", args); err != nil {
		return err
	}
	if err := noArgs("bench directory", fs.Args()); err != nil {
		return err
	}
	if b.users < 1 || b.users > maxDirectoryUsers || b.repeats < 1 || b.repeats > maxRepeats {
		return usage{text: "bench directory: --users or --repeats is out of bounds", hint: fmt.Sprintf("--users from 1 to %d, --repeats from 1 to %d", maxDirectoryUsers, maxRepeats)}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "rouse-bench")
	if err != nil {
		return err
	}
	f, err := b.run(ctx, dir)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("bench directory: %w", err)
	}
	if b.json {
		return json.NewEncoder(streams.out).Encode(f)
	}
	fmt.Fprintf(streams.out, "%d users on slapd, medians of %d runs\n", f.Users, b.repeats)
	fmt.Fprintf(streams.out, "search    %.2f s, paged, of the same attributes\n", f.Search)
	fmt.Fprintf(streams.out, "refresh   %.2f s, compared and written down: %.2f x the search\n", f.Refresh, f.Ratio)
	fmt.Fprintf(streams.out, "snapshot  %.0f bytes a user\n", f.Snapshot)
	fmt.Fprintf(streams.out, "sweep     %.1f ms of CPU, for what runs out\n", f.Sweep)
	return nil
}

func (b *directoryBench) run(ctx context.Context, dir string) (f directoryFigures, err error) {
	slapd, err := dirlab.StartSlapd(ctx, filepath.Join(dir, "slapd"), dirlab.Bulk(b.users, time.Now()))
	if err != nil {
		return f, err
	}
	defer slapd.Kill()
	f.Users = b.users
	var searches, refreshes, ratios []float64
	for i := range b.repeats {
		took, err := b.search(slapd.URL())
		if err != nil {
			return f, err
		}
		s := took.Seconds()
		file := filepath.Join(dir, fmt.Sprint(i, ".db"))
		if took, err = b.refresh(ctx, file, slapd.URL(), &f); err != nil {
			return f, err
		}
		i, err := os.Stat(file)
		if err != nil {
			return f, err
		}
		f.Snapshot = float64(i.Size()) / float64(b.users)
		searches, refreshes, ratios = append(searches, s), append(refreshes, took.Seconds()), append(ratios, took.Seconds()/s)
	}
	middle := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	f.Search, f.Refresh, f.Ratio = middle(searches), middle(refreshes), middle(ratios)
	return f, nil
}

// search is the floor: all entries by plain pages.
func (b *directoryBench) search(url string) (time.Duration, error) {
	c, err := ldap.DialURL(url)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.Bind(dirlab.Notifier, dirlab.NotifierPass); err != nil {
		return 0, err
	}
	begun := time.Now()
	r, err := c.SearchWithPaging(ldap.NewSearchRequest(dirlab.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, follow.Filter, directory.Attributes(), nil), 1000)
	took := time.Since(begun)
	if err == nil && len(r.Entries) < b.users {
		err = fmt.Errorf("a search found %d of %d users", len(r.Entries), b.users)
	}
	return took, err
}

// refresh follows until all is known.
func (b *directoryBench) refresh(ctx context.Context, file, url string, f *directoryFigures) (took time.Duration, err error) {
	db, err := snapshot.Open(ctx, file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := follow.New(ctx, db, follow.Config{Servers: []string{url}, Bind: follow.Simple(dirlab.Notifier, dirlab.NotifierPass), Layout: directory.FreeIPA(dirlab.Suffix),
		Now: time.Now, Expiry: directory.Expiry{Days: directory.Warnings()}, Logger: slog.New(slog.DiscardHandler), Fresh: func() {}})
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begun := time.Now()
	go func() { ended <- w.Run(ctx) }()
	for w.Status().Baseline.IsZero() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	took = time.Since(begun)
	if n := w.Status().Users; n != b.users {
		err = fmt.Errorf("%d of %d users are known after a refresh", n, b.users)
	}
	runtime.GC() // what the refresh left behind is not the sweep's
	var sweeps []time.Duration
	for range 5 {
		before := cpuTime()
		err = errors.Join(err, w.Sweep(ctx))
		sweeps = append(sweeps, cpuTime()-before)
	}
	slices.Sort(sweeps)
	f.Sweep = float64(sweeps[2]) / float64(time.Millisecond)
	stop()
	return took, errors.Join(err, <-ended)
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
