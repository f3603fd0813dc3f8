package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"rouse/push/pushtest"
)

// fleetBench is one call of rouse bench fleet: what an event costs, by how many
// users there are.
type fleetBench struct {
	bench
	sizes []int
	redis string // "": SQLite
}

// fleetStage is the stage of one size. Its store and its users live on from run to run.
type fleetStage struct {
	*benchStage
	store *fleetStore
	crowd *crowd
	bytes int // of Redis for one user, before the first run
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
type fleetRun struct{ cpu, wakes, server, scripts, reads, allocs, perSecond float64 }

// run measures the sizes in turn, so that what else the machine does falls on all.
func (b *fleetBench) run(ctx context.Context, io stdio) (err error) {
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
	stages := make([]*fleetStage, len(b.sizes))
	for i, n := range b.sizes {
		if stages[i], err = b.newStage(ctx, filepath.Join(dir, strconv.Itoa(i)), i, n); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		defer func() { err = errors.Join(err, stages[i].close()) }()
	}
	runs := make([][]fleetRun, len(b.sizes))
	for r := range b.repeats {
		for i, s := range stages {
			f, err := b.once(ctx, s, io.err)
			if err != nil {
				return fmt.Errorf("bench: run %d of %d users: %w", r+1, b.sizes[i], err)
			}
			runs[i] = append(runs[i], f)
			if !b.json {
				fmt.Fprintf(io.err, "%d/%d %7d users  %6.1f CPU-µs an event  %6.0f events/s\n", r+1, b.repeats, b.sizes[i], f.cpu, f.perSecond)
			}
		}
	}
	return b.report(io.out, stages, runs)
}

// newStage has users with a device each, in the middle of their lives: a fleet of
// any size then does the same things as often.
func (b *fleetBench) newStage(ctx context.Context, dir string, i, users int) (*fleetStage, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	st, err := newFleetStore(ctx, dir, b.redis, i)
	if err != nil {
		return nil, err
	}
	s := &fleetStage{store: st, crowd: newCrowd(users, 1)}
	before, err := st.memory(ctx)
	if err != nil {
		return nil, errors.Join(err, st.remove(context.WithoutCancel(ctx)))
	}
	s.benchStage, err = (&benchStage{dir: dir, total: users, lasting: st.at, awake: func(i int) bool { return i%3 == 0 }}).set(ctx, true)
	if err != nil {
		return nil, errors.Join(err, st.remove(context.WithoutCancel(ctx)))
	}
	after, err := st.memory(ctx)
	s.bytes = (after - before) / users
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *fleetStage) close() error {
	return errors.Join(s.benchStage.close(), s.store.remove(context.Background()))
}

// once is one run: n events of random users, once everybody has slept, got a
// message and come back, so that what a fresh process loads is not counted.
func (b *fleetBench) once(ctx context.Context, s *fleetStage, log io.Writer) (_ fleetRun, err error) {
	warm := wholeStanzas(max(b.n/10, wholeCrowd*s.total), perBatch)
	total := warm + wholeStanzas(b.n, perBatch)
	l, err := newLoadOf(total, perBatch, 1, wholeStanzas(b.inflight, perBatch)/perBatch)
	if err != nil {
		return fleetRun{}, err
	}
	var atWarm storeTally
	var wakes, wakesAtWarm atomic.Int64
	l.stanza = func(dst []byte, first int) []byte {
		if first == warm {
			atWarm, err = s.store.tally(ctx)
			wakesAtWarm.Store(wakes.Load())
		}
		if first < warm {
			return s.crowd.batch(dst, first, s.crowd.inTurn)
		}
		return s.crowd.batch(dst, first, s.crowd.any)
	}
	s.apns.Forget()
	s.apns.Answer(nil)
	s.apns.OnAnswer(func(pushtest.Received) { wakes.Add(1) })
	before, after, took, failed := b.measure(ctx, s.benchStage, l, pathRouse, log, warm, total)
	atEnd, unread := s.store.tally(ctx)
	err = errors.Join(failed, err, unread)
	n := float64(total - warm)
	return fleetRun{
		cpu:       float64(after.CPU-before.CPU) / float64(time.Microsecond) / n,
		wakes:     float64(wakes.Load()-wakesAtWarm.Load()) / n,
		server:    float64(atEnd.server-atWarm.server) / float64(time.Microsecond) / n,
		scripts:   float64(atEnd.scripts-atWarm.scripts) / n,
		reads:     float64(atEnd.reads-atWarm.reads) / n,
		allocs:    float64(after.Allocs-before.Allocs) / n,
		perSecond: n / took.Seconds(),
	}, err
}

// crowd is what the users do: each goes to sleep, gets a message, and comes back.
type crowd struct {
	random *rand.Rand
	users  []crowdUser
	seq    uint64 // of the last batch
	turn   int    // whose it is
}

// wholeCrowd is how many events bring everybody through all that a user does.
const wholeCrowd = 3

type crowdUser struct {
	n, out uint64
	asleep bool
	unread bool
}

func newCrowd(users int, seed uint64) *crowd {
	f := &crowd{random: rand.New(rand.NewPCG(seed, seed)), users: make([]crowdUser, users), seq: 1}
	for i := range f.users {
		f.users[i] = crowdUser{n: 1, asleep: i%3 > 0, unread: i%3 > 1}
	}
	return f
}

// any is a user at random, inTurn the next one.
func (f *crowd) any() int { return f.random.IntN(len(f.users)) }

func (f *crowd) inTurn() int {
	f.turn = (f.turn + 1) % len(f.users)
	return f.turn
}

// batch is docs/events.md: the next thing that happens to the users that next picks.
func (f *crowd) batch(dst []byte, first int, next func() int) []byte {
	f.seq++
	dst = fmt.Appendf(dst, "<iq type='set' id='w%d' from='%s' to='%s'><events xmlns='rouse:events:0' epoch='%d' seq='%d'>",
		first/perBatch, benchHost, benchService, benchEpoch, f.seq)
	now := time.Now().UnixMilli()
	for range perBatch {
		i := next()
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

func (b *fleetBench) report(w io.Writer, stages []*fleetStage, runs [][]fleetRun) error {
	columns := []struct {
		key, about, format string
		of                 func(fleetRun) float64
	}{
		{"wakes_per_event", "wakes", "%.3f", func(r fleetRun) float64 { return r.wakes }},
		{"allocs_per_event", "allocations", "%.0f", func(r fleetRun) float64 { return r.allocs }},
		{"events_per_second", "events/s", "%.0f", func(r fleetRun) float64 { return r.perSecond }},
		{"redis_cpu_us_per_event", "CPU-µs of Redis", "%.1f", func(r fleetRun) float64 { return r.server }},
		{"redis_scripts_per_event", "its scripts", "%.2f", func(r fleetRun) float64 { return r.scripts }},
		{"redis_reads_per_event", "its reads", "%.3f", func(r fleetRun) float64 { return r.reads }},
	}
	if b.redis == "" {
		columns = columns[:3]
	}
	over := func(list []fleetRun, of func(fleetRun) float64) spread {
		var all []float64
		for _, r := range list {
			all = append(all, of(r))
		}
		return spreadOver(all)
	}
	cpu := func(r fleetRun) float64 { return r.cpu }
	least := over(runs[slices.Index(b.sizes, slices.Min(b.sizes))], cpu).Median
	if b.json {
		out := json.NewEncoder(w)
		for i, n := range b.sizes {
			c := over(runs[i], cpu)
			o := map[string]any{"users": n, "n": b.n, "repeats": b.repeats, "cpu_us_per_event": c, "ratio": c.Median / least}
			for _, column := range columns {
				o[column.key] = over(runs[i], column.of)
			}
			if b.redis != "" {
				o["redis_bytes_per_user"] = stages[i].bytes
			}
			if err := out.Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(w, "%d events of random users in batches of %d, %d runs of each size; median (least – most)\n\n", b.n, perBatch, b.repeats)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "users\tCPU-µs per event\t÷ smallest\t")
	if b.redis != "" {
		fmt.Fprint(t, "bytes a user\t")
	}
	for _, column := range columns {
		fmt.Fprint(t, column.about, "\t")
	}
	fmt.Fprintln(t)
	for i, n := range b.sizes {
		c := over(runs[i], cpu)
		fmt.Fprintf(t, "%d\t%.1f (%.1f – %.1f)\t%.2f\t", n, c.Median, c.Min, c.Max, c.Median/least)
		if b.redis != "" {
			fmt.Fprint(t, stages[i].bytes, "\t")
		}
		for _, column := range columns {
			fmt.Fprintf(t, column.format+"\t", over(runs[i], column.of).Median)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
