package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func benchCommand() command {
	return command{
		name: "bench", args: "wake|fleet|store|directory [flags]", about: "measure what a wake costs, beside the same made of stock libraries",
		more: "wake: each wake comes in as a stanza on a real socket, is made durable, answered, sent to a stand-in for APNs and settled.\n" +
			"fleet: users fall asleep, get a message and come back, at random; what an event costs, by how many users there are.\n" +
			"The XMPP server and APNs are played by this process; what is measured runs in a process of its own.\n" +
			"`rouse bench store [--redis URL] [--n N] [--repeats N] [--json]` measures decisions of the store beside a floor of as many bytes.\n" +
			"`rouse bench directory [--users N] [--repeats N] [--json]` measures how a directory is read, beside a plain search; it starts a slapd.\n" +
			"docs/performance.md says what the figures mean.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			b := bench{again: again}
			fs.IntVar(&b.n, "n", 20_000, "wakes in each run, `N`")
			fs.IntVar(&b.inflight, "inflight", 64, "at most `N` wakes are under way")
			fs.IntVar(&b.repeats, "repeats", 5, "`N` runs of each path, in turn")
			path := fs.String("path", "both", "`WHICH`: both, rouse or stock")
			fs.BoolVar(&b.events, "events", false, "stanzas for hibernated sessions in a server module's batches, not publishes")
			fs.BoolVar(&b.json, "json", false, "one JSON object for each path")
			fs.StringVar(&b.profile, "profile", "", "write CPU and allocation profiles of the last runs into `DIR`")
			users := fs.String("users", "1000,10000,100000", "fleet: so many users, `N,N,…`")
			redis := fs.String("redis", "", "fleet, store: `URL` of an empty Redis to measure, in place of SQLite")
			return func(io stdio, args []string) error {
				if len(args) > 0 && args[0] == measuredArg {
					return measured(io, args[1:])
				}
				if len(args) > 0 && args[0] == "store" {
					return benchStore(io, args[1:])
				}
				if len(args) > 0 && args[0] == "directory" {
					return benchDirectory(io, args[1:])
				}
				if len(args) == 0 || args[0] != "wake" && args[0] != "fleet" {
					return usage{text: "bench: what is to be measured?", hint: "rouse bench wake, fleet, store or directory"}
				}
				what := "bench " + args[0]
				if err := parseFlags(fs, "bench", what, args[1:]); err != nil {
					return err
				}
				if err := noArgs(what, fs.Args()); err != nil {
					return err
				}
				if err := b.choose(what, *path); err != nil {
					return err
				}
				ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				if args[0] == "wake" {
					return b.wake(ctx, io)
				}
				fb := fleetBench{bench: b, redis: *redis}
				if err := fb.users(*users); err != nil {
					return err
				}
				return fb.run(ctx, io)
			}
		},
	}
}

// The paths that are compared.
const (
	pathRouse = "rouse"
	pathStock = "stock"
)

// bench is one call of rouse bench wake.
type bench struct {
	n, inflight, repeats int
	paths                []string
	events, json         bool
	profile              string

	again func(ctx context.Context, args ...string) (*exec.Cmd, error) // this program once more
}

// Bounds of what is asked for: of sense, and of memory.
const (
	maxWakes    = 1_000_000
	maxInflight = 1000 // an IQ for one owner beyond 1024 is answered with wait
	maxRepeats  = 1000
	runTime     = 10 * time.Minute // for one run; something hangs when it takes longer
)

func (b *bench) choose(what, path string) error {
	switch path {
	case "both":
		b.paths = []string{pathRouse, pathStock}
	case pathRouse, pathStock:
		b.paths = []string{path}
	default:
		return usage{text: fmt.Sprintf("%s: unknown path %q", what, path), hint: "both, rouse or stock"}
	}
	for _, f := range []struct {
		name       string
		value, max int
	}{{"n", b.n, maxWakes}, {"inflight", b.inflight, maxInflight}, {"repeats", b.repeats, maxRepeats}} {
		if f.value < 1 || f.value > f.max {
			return usage{text: fmt.Sprintf("%s: --%s is %d", what, f.name, f.value), hint: fmt.Sprintf("from 1 to %d", f.max)}
		}
	}
	return nil
}

// again runs this program with other arguments.
func again(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	return exec.CommandContext(ctx, self, args...), err
}

// wake measures the paths in turn, so that what else the machine does falls on both.
func (b *bench) wake(ctx context.Context, io stdio) (err error) {
	if b.profile != "" {
		if b.profile, err = filepath.Abs(b.profile); err == nil {
			err = os.MkdirAll(b.profile, 0o700)
		}
		if err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "rouse-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stage, err := newBenchStage(ctx, dir, b)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer stage.close()
	b.n = stage.total - stage.warm

	runs := make(map[string][]figures)
	for i := range b.repeats {
		for _, path := range b.paths {
			f, err := b.once(ctx, stage, path, io.err)
			if err != nil {
				return fmt.Errorf("bench: run %d of %s: %w", i+1, path, err)
			}
			runs[path] = append(runs[path], f)
			if !b.json {
				fmt.Fprintf(io.err, "%d/%d %-5s %s\n", i+1, b.repeats, path, f.line())
			}
		}
	}
	return b.report(io.out, runs)
}

// once is one run of one path, on a store of its own.
func (b *bench) once(ctx context.Context, s *benchStage, path string, log io.Writer) (figures, error) {
	load, err := newLoad(s, b)
	if err != nil {
		return figures{}, err
	}
	s.apns.Forget()
	s.apns.Answer(load.pushed)
	before, after, took, err := b.measure(ctx, s, load, path, log, s.warm, s.total)
	if err == nil {
		err = load.sane()
	}
	if err != nil {
		return figures{}, err
	}
	return b.figures(before, after, took, load.latencies(s.warm)), nil
}

// measure has one process work a load off, and tells what it had used up when the
// first part was through and when all of it was.
func (b *bench) measure(ctx context.Context, s *benchStage, load *load, path string, log io.Writer, warm, total int) (before, after tally, took time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runTime, fmt.Errorf("not through within %v", runTime))
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	defer load.close()
	file, err := s.prepare(path, load.address())
	if err != nil {
		return before, after, 0, err
	}
	defer os.RemoveAll(filepath.Dir(file))

	profile := ""
	if b.profile != "" {
		profile = filepath.Join(b.profile, path)
	}
	p, err := startMeasured(ctx, abort, b.again, log, path, file, profile)
	if err != nil {
		return before, after, 0, err
	}
	defer func() {
		if died := p.end(); died != nil && err != nil {
			err = fmt.Errorf("%w: %w", died, err)
		} else if died != nil {
			err = died
		}
	}()
	if err = load.accept(ctx); err != nil {
		return before, after, 0, err
	}
	if _, err = load.drive(ctx, 0, warm); err != nil {
		return before, after, 0, err
	}
	if before, err = p.mark(); err != nil {
		return before, after, 0, err
	}
	if took, err = load.drive(ctx, warm, total); err != nil {
		return before, after, 0, err
	}
	after, err = p.mark()
	return before, after, took, err
}

// wholeStanzas gives a number of wakes that fills whole stanzas.
func wholeStanzas(n, per int) int { return (n + per - 1) / per * per }
