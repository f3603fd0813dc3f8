package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// fleetBench is one call of rouse bench fleet: what an event costs, by how many
// users there are.
type fleetBench struct {
	bench
	sizes []int
}

// maxUsers is what fits on a disk and in an hour.
const maxUsers = 1_000_000

// users reads the sizes of the fleets that are compared.
func (b *fleetBench) users(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < perBatch || n > maxUsers {
			return usage{text: fmt.Sprintf("bench fleet: --users has %q", word), hint: fmt.Sprintf("numbers from %d to %d, with commas between", perBatch, maxUsers)}
		}
		b.sizes = append(b.sizes, n)
	}
	return nil
}

// fleetRun is what one run came to, for each event.
type fleetRun struct{ cpu, allocs, perSecond float64 }

// run measures the sizes in turn, so that what else the machine does falls on all.
func (b *fleetBench) run(ctx context.Context, io stdio) error {
	dir, err := os.MkdirTemp("", "rouse-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if b.profile != "" {
		if err := os.MkdirAll(b.profile, 0o700); err != nil {
			return err
		}
	}
	stages := make([]*benchStage, len(b.sizes))
	for i, n := range b.sizes {
		sub := filepath.Join(dir, strconv.Itoa(n))
		if err := os.Mkdir(sub, 0o700); err != nil {
			return err
		}
		if stages[i], err = newFleetStage(ctx, sub, n); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		defer stages[i].close()
	}
	runs := make([][]fleetRun, len(b.sizes))
	for r := range b.repeats {
		for i, s := range stages {
			f, err := b.once(ctx, s, uint64(r), io.err)
			if err != nil {
				return fmt.Errorf("bench: run %d of %d users: %w", r+1, b.sizes[i], err)
			}
			runs[i] = append(runs[i], f)
			if !b.json {
				fmt.Fprintf(io.err, "%d/%d %7d users  %6.1f CPU-µs an event  %6.0f events/s\n", r+1, b.repeats, b.sizes[i], f.cpu, f.perSecond)
			}
		}
	}
	return b.report(io.out, runs)
}

// newFleetStage has users with a device each, in the middle of their lives: a
// fleet of any size then does the same things as often.
func newFleetStage(ctx context.Context, dir string, users int) (*benchStage, error) {
	s := &benchStage{dir: dir, total: users, awake: func(i int) bool { return i%3 == 0 }}
	return s.set(ctx, true)
}

// once is one run: n events of random users, on a copy of the store.
func (b *fleetBench) once(ctx context.Context, s *benchStage, seed uint64, log io.Writer) (_ fleetRun, err error) {
	warm := wholeStanzas(max(b.n/10, 2*s.total), perBatch) // nearly everybody was there once
	total := warm + wholeStanzas(b.n, perBatch)
	l, err := newLoadOf(total, perBatch, 1, wholeStanzas(b.inflight, perBatch)/perBatch)
	if err != nil {
		return fleetRun{}, err
	}
	l.stanza = newCrowd(s.total, seed).batch
	s.apns.Forget()
	s.apns.Answer(nil)
	before, after, took, err := b.measure(ctx, s, l, pathRouse, log, warm, total)
	n := float64(total - warm)
	return fleetRun{
		cpu:       float64(after.CPU-before.CPU) / float64(time.Microsecond) / n,
		allocs:    float64(after.Allocs-before.Allocs) / n,
		perSecond: n / took.Seconds(),
	}, err
}

// crowd is what the users do: each goes to sleep, gets a message, and comes back.
type crowd struct {
	random *rand.Rand
	users  []crowdUser
}

type crowdUser struct {
	n, out uint64
	asleep bool
	unread bool
}

func newCrowd(users int, seed uint64) *crowd {
	f := &crowd{random: rand.New(rand.NewPCG(seed, seed)), users: make([]crowdUser, users)}
	for i := range f.users {
		f.users[i] = crowdUser{n: 1, asleep: i%3 > 0, unread: i%3 > 1}
	}
	return f
}

// batch is docs/events.md: the next thing that happens to random users.
func (f *crowd) batch(dst []byte, first int) []byte {
	n := first / perBatch
	dst = fmt.Appendf(dst, "<iq type='set' id='w%d' from='%s' to='%s'><events xmlns='rouse:events:0' epoch='%d' seq='%d'>",
		n, benchHost, benchService, benchEpoch, n+2)
	now := time.Now().UnixMilli()
	for range perBatch {
		i := f.random.IntN(len(f.users))
		u := &f.users[i]
		u.n++
		same := fmt.Appendf(nil, "user='%s' sid='%s' n='%d' t='%d'", benchUser(i), benchSID, u.n, now)
		switch {
		case !u.asleep:
			u.asleep = true
			dst = fmt.Appendf(dst, "<hibernated %s out='%d' acked='%d'/>", same, u.out, u.out)
		case !u.unread:
			u.unread = true
			u.out++
			dst = fmt.Appendf(dst, "<queued %s out='%d' class='message' key='i:romeo@montague.example/balcony chat %d-%d'/>", same, u.out, i, u.n)
		default:
			u.asleep, u.unread = false, false
			dst = fmt.Appendf(dst, "<resumed %s out='%d' acked='%d' state='active'/>", same, u.out, u.out)
		}
	}
	return append(dst, "</events></iq>"...)
}

func (b *fleetBench) report(w io.Writer, runs [][]fleetRun) error {
	median := func(list []fleetRun, of func(fleetRun) float64) spread {
		var all []float64
		for _, r := range list {
			all = append(all, of(r))
		}
		return spreadOver(all)
	}
	cpu := func(r fleetRun) float64 { return r.cpu }
	least := median(runs[slices.Index(b.sizes, slices.Min(b.sizes))], cpu).Median
	if b.json {
		out := json.NewEncoder(w)
		for i, n := range b.sizes {
			c := median(runs[i], cpu)
			if err := out.Encode(map[string]any{"users": n, "n": b.n, "repeats": b.repeats, "cpu_us_per_event": c, "ratio": c.Median / least,
				"allocs_per_event":  median(runs[i], func(r fleetRun) float64 { return r.allocs }),
				"events_per_second": median(runs[i], func(r fleetRun) float64 { return r.perSecond })}); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(w, "%d events of random users in batches of %d, %d runs of each size; median (least – most)\n\n", b.n, perBatch, b.repeats)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "users\tCPU-µs per event\t÷ smallest\tallocations\tevents/s")
	for i, n := range b.sizes {
		c := median(runs[i], cpu)
		fmt.Fprintf(t, "%d\t%.1f (%.1f – %.1f)\t%.2f\t%.0f\t%.0f\n", n, c.Median, c.Min, c.Max, c.Median/least,
			median(runs[i], func(r fleetRun) float64 { return r.allocs }).Median, median(runs[i], func(r fleetRun) float64 { return r.perSecond }).Median)
	}
	return t.Flush()
}
