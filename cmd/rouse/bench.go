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
		name: "bench", args: "wake [flags]", about: "measure what a wake costs, beside the same made of stock libraries",
		more: "Each wake comes in as a stanza on a real socket, is made durable, answered, sent to a stand-in for APNs and settled.\n" +
			"The XMPP server and APNs are played by this process; what is measured runs in a process of its own.\n" +
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
			return func(io stdio, args []string) error {
				if len(args) > 0 && args[0] == measuredArg {
					return measured(io, args[1:])
				}
				if len(args) == 0 || args[0] != "wake" {
					return usage{text: "bench: what is to be measured?", hint: "rouse bench wake"}
				}
				if err := fs.Parse(args[1:]); err != nil {
					return usage{text: "bench wake: " + err.Error(), hint: "rouse help bench"}
				}
				if err := noArgs("bench wake", fs.Args()); err != nil {
					return err
				}
				if err := b.choose(*path); err != nil {
					return err
				}
				ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return b.wake(ctx, io)
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

func (b *bench) choose(path string) error {
	switch path {
	case "both":
		b.paths = []string{pathRouse, pathStock}
	case pathRouse, pathStock:
		b.paths = []string{path}
	default:
		return usage{text: fmt.Sprintf("bench wake: unknown path %q", path), hint: "both, rouse or stock"}
	}
	for _, f := range []struct {
		name       string
		value, max int
	}{{"n", b.n, maxWakes}, {"inflight", b.inflight, maxInflight}, {"repeats", b.repeats, maxRepeats}} {
		if f.value < 1 || f.value > f.max {
			return usage{text: fmt.Sprintf("bench wake: --%s is %d", f.name, f.value), hint: fmt.Sprintf("from 1 to %d", f.max)}
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
func (b *bench) once(ctx context.Context, s *benchStage, path string, log io.Writer) (_ figures, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runTime, fmt.Errorf("not through within %v", runTime))
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	load, err := newLoad(s, b)
	if err != nil {
		return figures{}, err
	}
	defer load.close()
	file, err := s.prepare(path, load.address())
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(filepath.Dir(file))
	s.apns.Forget()
	s.apns.Answer(load.pushed)

	profile := ""
	if b.profile != "" {
		profile = filepath.Join(b.profile, path)
	}
	p, err := startMeasured(ctx, abort, b.again, log, path, file, profile)
	if err != nil {
		return figures{}, err
	}
	defer func() {
		if died := p.end(); died != nil && err != nil {
			err = fmt.Errorf("%w: %w", died, err)
		} else if died != nil {
			err = died
		}
	}()
	if err := load.accept(ctx); err != nil {
		return figures{}, err
	}
	if _, err := load.drive(ctx, 0, s.warm); err != nil {
		return figures{}, err
	}
	before, err := p.mark()
	if err != nil {
		return figures{}, err
	}
	took, err := load.drive(ctx, s.warm, s.total)
	if err != nil {
		return figures{}, err
	}
	after, err := p.mark()
	if err != nil {
		return figures{}, err
	}
	if err := load.sane(); err != nil {
		return figures{}, err
	}
	return b.figures(before, after, took, load.latencies(s.warm)), nil
}

// wholeStanzas gives a number of wakes that fills whole stanzas.
func wholeStanzas(n, per int) int { return (n + per - 1) / per * per }
