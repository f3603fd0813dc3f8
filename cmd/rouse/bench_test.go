package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// againInTest starts this binary as rouse, see TestMain.
func againInTest(ctx context.Context, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asRouse+"=1")
	return cmd, nil
}

func TestBenchWake(t *testing.T) {
	for _, c := range []struct {
		name   string
		events bool
		wakes  int // whole batches in --events
	}{{"publishes", false, 100}, {"events", true, 100}} {
		t.Run(c.name, func(t *testing.T) {
			b := bench{n: 100, inflight: 16, repeats: 1, events: c.events, json: true, profile: t.TempDir(), again: againInTest}
			if err := b.choose("bench wake", "both"); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if err := b.wake(context.Background(), stdio{out: &out, err: &errs}); err != nil {
				t.Fatalf("%v\n%s", err, errs.String())
			}
			lines := json.NewDecoder(&out)
			for _, path := range []string{pathRouse, pathStock} {
				var got struct {
					Path    string `json:"path"`
					N       int    `json:"n"`
					Events  bool   `json:"events"`
					CPU     spread `json:"cpu_us_per_wake"`
					Rate    spread `json:"wakes_per_second"`
					Allocs  spread `json:"allocs_per_wake"`
					Commits spread `json:"commits_per_wake"`
					P50     spread `json:"p50_us"`
					P99     spread `json:"p99_us"`
				}
				if err := lines.Decode(&got); err != nil {
					t.Fatal(err)
				}
				if got.Path != path || got.N != c.wakes || got.Events != c.events {
					t.Errorf("%+v", got)
				}
				for _, s := range []spread{got.CPU, got.Rate, got.Allocs, got.P50} {
					if s.Median <= 0 || s.Min != s.Median || s.Max != s.Median {
						t.Errorf("%s: one run gave %+v", path, s)
					}
				}
				if got.P50.Median > got.P99.Median {
					t.Errorf("%s: p50 %v, p99 %v", path, got.P50, got.P99)
				}
				// Each wake is decided and settled: stock commits both alone.
				if least := 2.0; path == pathStock && got.Commits.Median < least || path == pathRouse && got.Commits.Median >= least {
					t.Errorf("%s: %v transactions per wake", path, got.Commits.Median)
				}
				for _, profile := range []string{"-cpu.pprof", "-allocs.pprof"} {
					if f, err := os.Stat(filepath.Join(b.profile, path+profile)); err != nil || f.Size() == 0 {
						t.Errorf("profile %s%s: %v", path, profile, err)
					}
				}
			}
			var ratio map[string]any
			if err := lines.Decode(&ratio); err != nil || ratio["path"] != "ratio" || ratio["cpu_us_per_wake"] == nil {
				t.Errorf("%v, %v", ratio, err)
			}
			if err := lines.Decode(new(any)); err != io.EOF {
				t.Errorf("more than two paths and their ratio: %v", err)
			}
		})
	}
}

func TestBenchReportsItsFailures(t *testing.T) {
	b := bench{n: 10, inflight: 1, repeats: 1, paths: []string{pathRouse}, again: func(ctx context.Context, _ ...string) (*exec.Cmd, error) {
		return againInTest(ctx, "bench", measuredArg, pathRouse, "does-not-exist.toml", "")
	}}
	var errs bytes.Buffer
	err := b.wake(context.Background(), stdio{out: io.Discard, err: &errs})
	if err == nil || !strings.Contains(err.Error(), "the measured process") || !strings.Contains(errs.String(), "does-not-exist.toml") {
		t.Errorf("%v\n%s", err, errs.String())
	}
}

func TestBenchUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                      "what is to be measured",
		"sleep":                 "what is to be measured",
		"measured":              "what bench calls itself",
		"wake --path gold":      `unknown path "gold"`,
		"wake --n 0":            "--n is 0",
		"wake --inflight 5000":  "--inflight is 5000",
		"wake --repeats -1":     "--repeats is -1",
		"wake --speed":          "-speed",
		"wake fast":             `unexpected argument "fast"`,
		"--path gold wake":      `unknown path "gold"`,
		"wake --n many":         "many",
		"wake --json --repeats": "repeats",
	} {
		var errs strings.Builder
		code := run(append([]string{"bench"}, strings.Fields(args)...), stdio{out: io.Discard, err: &errs, env: os.Getenv})
		if code != exitUsage || !strings.Contains(errs.String(), want) || !strings.Contains(errs.String(), "hint: ") {
			t.Errorf("bench %s: code %d: %s", args, code, errs.String())
		}
	}
}

func TestBenchFigures(t *testing.T) {
	var latencies []time.Duration
	for i := range 101 {
		latencies = append(latencies, time.Duration(i)*time.Millisecond)
	}
	before := tally{CPU: time.Second, Allocs: 100, Bytes: 1000, Commits: 7, Peak: 1}
	after := tally{CPU: 1101 * time.Millisecond, Allocs: 1110, Bytes: 3020, Commits: 108, Peak: 4096}
	got := new(bench).figures(before, after, 2*time.Second, latencies)
	want := figures{
		wakesPerSecond: 50.5, cpuPerWake: 1000, allocsPerWake: 10, bytesPerWake: 20, commitsPerWake: 1,
		p50: 50_000, p99: 99_000, peak: 4096,
	}
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestSpread(t *testing.T) {
	runs := func(values ...float64) (out []figures) {
		for _, v := range values {
			out = append(out, figures{cpuPerWake: v})
		}
		return out
	}
	for _, c := range []struct {
		runs []figures
		want spread
	}{
		{runs(3), spread{3, 3, 3}},
		{runs(9, 1, 5), spread{5, 1, 9}},
		{runs(4, 1, 2, 9), spread{3, 1, 9}},
	} {
		if got := spreadOf(c.runs, cpuPerWake); got != c.want {
			t.Errorf("%v: got %v", c.runs, got)
		}
	}
}
