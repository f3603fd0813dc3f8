package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// figures are what one run came to.
type figures [len(benchFigures)]float64

// The figures, in the order in which they are shown.
const (
	wakesPerSecond = iota
	cpuPerWake
	allocsPerWake
	bytesPerWake
	commitsPerWake
	p50
	p99
	peak
)

var benchFigures = [...]struct {
	key, about, format string
}{
	wakesPerSecond: {"wakes_per_second", "wakes/s, all processes on this machine", "%.0f"},
	cpuPerWake:     {"cpu_us_per_wake", "CPU-µs per wake, user and system", "%.1f"},
	allocsPerWake:  {"allocs_per_wake", "allocations per wake", "%.0f"},
	bytesPerWake:   {"bytes_per_wake", "bytes allocated per wake", "%.0f"},
	commitsPerWake: {"commits_per_wake", "transactions per wake", "%.3f"},
	p50:            {"p50_us", "µs from stanza to push, half are faster", "%.0f"},
	p99:            {"p99_us", "µs from stanza to push, 99 % are faster", "%.0f"},
	peak:           {"peak_kib", "resident memory at its peak, KiB", "%.0f"},
}

// figures puts together what a run gave. The latencies are sorted.
func (b *bench) figures(before, after tally, took time.Duration, latencies []time.Duration) figures {
	n := float64(len(latencies))
	at := func(share float64) float64 {
		return float64(latencies[int(share*float64(len(latencies)-1))]) / float64(time.Microsecond)
	}
	return figures{
		wakesPerSecond: n / took.Seconds(),
		cpuPerWake:     float64(after.CPU-before.CPU) / float64(time.Microsecond) / n,
		allocsPerWake:  float64(after.Allocs-before.Allocs) / n,
		bytesPerWake:   float64(after.Bytes-before.Bytes) / n,
		commitsPerWake: float64(after.Commits-before.Commits) / n,
		p50:            at(0.50),
		p99:            at(0.99),
		peak:           float64(after.Peak),
	}
}

func (f figures) line() string {
	return fmt.Sprintf("%6.0f wakes/s  %6.1f CPU-µs  %4.0f allocations  p50 %5.0f µs  p99 %5.0f µs",
		f[wakesPerSecond], f[cpuPerWake], f[allocsPerWake], f[p50], f[p99])
}

// spread is one figure over all runs.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(runs []figures, figure int) spread {
	var all []float64
	for _, r := range runs {
		all = append(all, r[figure])
	}
	return spreadOver(all)
}

func spreadOver(all []float64) spread {
	slices.Sort(all)
	mid := len(all) / 2
	s := spread{Median: all[mid], Min: all[0], Max: all[len(all)-1]}
	if len(all)%2 == 0 {
		s.Median = (all[mid-1] + all[mid]) / 2
	}
	return s
}

func (b *bench) report(w io.Writer, runs map[string][]figures) error {
	if b.json {
		return b.reportJSON(w, runs)
	}
	load := "publishes"
	if b.events {
		load = "events in batches"
	}
	fmt.Fprintf(w, "%d wakes by %s, %d under way, %d runs of each path; median (least – most)\n\n", b.n, load, b.inflight, b.repeats)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\t")
	for _, path := range b.paths {
		fmt.Fprintf(t, "%s\t", path)
	}
	if len(b.paths) == 2 {
		fmt.Fprintf(t, "%s ÷ %s", b.paths[0], b.paths[1])
	}
	fmt.Fprintln(t)
	for i, f := range benchFigures {
		fmt.Fprintf(t, "%s\t", f.about)
		var medians []float64
		for _, path := range b.paths {
			s := spreadOf(runs[path], i)
			medians = append(medians, s.Median)
			fmt.Fprintf(t, f.format+" ("+f.format+" – "+f.format+")\t", s.Median, s.Min, s.Max)
		}
		if len(medians) == 2 {
			fmt.Fprintf(t, "%.2f", medians[0]/medians[1])
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// reportJSON gives one object for each path, and one with the ratios of the medians.
func (b *bench) reportJSON(w io.Writer, runs map[string][]figures) error {
	out := json.NewEncoder(w)
	ratio := map[string]any{"path": "ratio"}
	for _, path := range b.paths {
		o := map[string]any{"path": path, "n": b.n, "inflight": b.inflight, "repeats": b.repeats, "events": b.events}
		for i, f := range benchFigures {
			o[f.key] = spreadOf(runs[path], i)
		}
		if err := out.Encode(o); err != nil {
			return err
		}
	}
	if len(b.paths) < 2 {
		return nil
	}
	for i, f := range benchFigures {
		ratio[f.key] = spreadOf(runs[b.paths[0]], i).Median / spreadOf(runs[b.paths[1]], i).Median
	}
	return out.Encode(ratio)
}
