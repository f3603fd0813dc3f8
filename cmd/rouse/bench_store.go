package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"

	"rouse/config"
	"rouse/store"
)

// storeBench is one call of rouse bench store.
type storeBench struct {
	n, repeats int
	url        string // "": SQLite, in a file that is removed at the end
	json       bool
}

func benchStore(streams stdio, args []string) error {
	b := storeBench{}
	fs := flag.NewFlagSet("bench store", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&b.n, "n", 5000, "decisions in each run, `N`")
	fs.IntVar(&b.repeats, "repeats", 3, "`N` runs of each path, in turn")
	fs.StringVar(&b.url, "redis", "", "`URL` of an empty Redis; without it SQLite is measured")
	fs.BoolVar(&b.json, "json", false, "one JSON object for each line")
	if err := parseFlags(fs, "bench", "bench store", args); err != nil {
		return err
	}
	if err := noArgs("bench store", fs.Args()); err != nil {
		return err
	}
	if b.n < 1 || b.n > maxWakes || b.repeats < 1 || b.repeats > maxRepeats {
		return usage{text: "bench store: --n or --repeats is out of bounds", hint: fmt.Sprintf("--n from 1 to %d, --repeats from 1 to %d", maxWakes, maxRepeats)}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return b.run(ctx, streams)
}

// storePath is a way to make a decision durable: rouse's, or a floor beside it.
type storePath struct {
	name string
	run  func(ctx context.Context, callers, n int) error
}

// storeSubject is what is measured, in one store.
type storeSubject struct {
	paths []storePath
	tally func(ctx context.Context) (storeTally, error)
	close func(ctx context.Context) error
}

// atOnce is how many decisions are under way.
func atOnce() []int { return []int{1, 64, 256} }

func (b *storeBench) run(ctx context.Context, streams stdio) (err error) {
	open := b.sqlite
	if b.url != "" {
		open = b.redis
	}
	s, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	for i, callers := range atOnce() {
		runs := make(map[string][]storeFigures)
		for range b.repeats {
			for _, p := range s.paths {
				f, err := measure(ctx, s, p, callers, b.n)
				if err != nil {
					return fmt.Errorf("bench store: %s with %d in flight: %w", p.name, callers, err)
				}
				runs[p.name] = append(runs[p.name], f)
			}
		}
		if err := b.report(streams.out, s, callers, i == 0, runs); err != nil {
			return err
		}
	}
	return nil
}

// sqlite makes a store in a directory of its own.
func (b *storeBench) sqlite(ctx context.Context) (*storeSubject, error) {
	dir, err := os.MkdirTemp("", "rouse-bench-")
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, &config.Store{Path: filepath.Join(dir, "rouse.db")})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	floor, closeFloor, err := sqliteFloor(filepath.Join(dir, "floor.db"), decisionBytes())
	if err != nil {
		return nil, errors.Join(err, st.Close(), os.RemoveAll(dir))
	}
	return &storeSubject{
		paths: []storePath{rousePath(st), {"one commit each", floor}},
		tally: ownTally,
		close: func(context.Context) error { return errors.Join(st.Close(), closeFloor(), os.RemoveAll(dir)) },
	}, nil
}

func rousePath(st store.Store) storePath {
	return storePath{pathRouse, func(ctx context.Context, callers, n int) error { return decide(ctx, st, callers, n) }}
}

// storeFigures are what one run came to, for each decision.
type storeFigures [len(storeFigureNames)]float64

const (
	decisionsPerSecond = iota
	cpuPerDecision
	serverPerDecision
	readsPerDecision
	commandsPerDecision
)

var storeFigureNames = [...]struct{ key, about, format string }{
	decisionsPerSecond:  {"decisions_per_second", "decisions/s", "%.0f"},
	cpuPerDecision:      {"cpu_us_per_decision", "CPU-µs", "%.1f"},
	serverPerDecision:   {"redis_cpu_us_per_decision", "of Redis", "%.1f"},
	readsPerDecision:    {"redis_reads_per_decision", "its reads", "%.3f"},
	commandsPerDecision: {"redis_commands_per_decision", "commands", "%.2f"},
}

// shown are the figures that a store has.
func (b *storeBench) shown() []int {
	if b.url == "" {
		return []int{decisionsPerSecond, cpuPerDecision}
	}
	return []int{decisionsPerSecond, cpuPerDecision, serverPerDecision, readsPerDecision, commandsPerDecision}
}

func median(runs []storeFigures, figure int) float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, r[figure])
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// report prints the medians of each path, and those of rouse over each floor.
func (b *storeBench) report(w io.Writer, s *storeSubject, callers int, first bool, runs map[string][]storeFigures) error {
	if b.json {
		out := json.NewEncoder(w)
		for _, p := range s.paths {
			o := map[string]any{"path": p.name, "inflight": callers, "n": b.n, "repeats": b.repeats}
			for _, f := range b.shown() {
				o[storeFigureNames[f].key] = median(runs[p.name], f)
			}
			if err := out.Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	if first {
		fmt.Fprintf(w, "%d decisions in each run, medians of %d runs; figures are for each decision\n", b.n, b.repeats)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%d in flight\t", callers)
	for _, f := range b.shown() {
		fmt.Fprintf(t, "%s\t", storeFigureNames[f].about)
	}
	fmt.Fprintln(t)
	for _, p := range s.paths {
		fmt.Fprintf(t, "%s\t", p.name)
		for _, f := range b.shown() {
			fmt.Fprintf(t, storeFigureNames[f].format+"\t", median(runs[p.name], f))
		}
		fmt.Fprintln(t)
	}
	for _, floor := range s.paths[1:] {
		fmt.Fprintf(t, "%s ÷ %s\t", pathRouse, floor.name)
		for _, f := range b.shown() {
			fmt.Fprintf(t, "%.2f\t", median(runs[pathRouse], f)/median(runs[floor.name], f))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
