package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What a soak can be told: make soak ARGS="-soak.seed=7 -soak.for=10m".
var (
	soakSeed     = flag.Uint64("soak.seed", 1, "where faults and load come from")
	soakFor      = flag.Duration("soak.for", time.Minute, "how long faults are injected")
	soakKinds    = flag.String("soak.faults", "", "kinds of faults, separated by commas; all")
	soakPace     = flag.Float64("soak.pace", 1, "how often faults come: 2 is twice as often")
	soakAccounts = flag.Int("soak.accounts", 48, "accounts, each with one or two devices")
	soakDrain    = flag.Duration("soak.drain", 6*time.Minute, "how long what is owed may take after the last fault")
	soakOn       = flag.String("soak.store", "sqlite,redis,sentinel", "stores, separated by commas, each for its part of the time")
	soakDoubled  = flag.Float64("soak.doubled", 0.001, "the share of wakes that may be doubled; more with faults every moment")
	soakReport   = flag.String("soak.report", "", "a file to which the result is added, one JSON object a line")
)

// soakResult is what a soak says in the end.
type soakResult struct {
	soakVerdict
	Seed       uint64
	Store      string
	For        time.Duration
	Faults     map[string]int
	Tries      int           // requests that the stand-ins answered
	Drained    time.Duration // from the last fault until nothing was owed
	Goroutines [2]float64    // before, and at the end, of the process that has most
	Resident   [2]float64    // bytes, the same
	Date       time.Time
}

// TestSoak breaks everything that can break, again and again, and counts in its
// own books who was to be woken and was not.
func TestSoak(t *testing.T) {
	t.Parallel()
	stores := strings.Split(*soakOn, ",")
	for _, kind := range stores {
		if soakStores[kind] == nil {
			t.Fatalf("-soak.store: there is no store %q", kind)
		}
		t.Run(kind, func(t *testing.T) { soak(t, kind, *soakFor/time.Duration(len(stores))) })
	}
}

func soak(t *testing.T, kind string, duration time.Duration) {
	limit := duration + *soakDrain + 3*soakPatience
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()

	s, accounts := setSoak(ctx, t, kind)
	start := time.Now()
	before := s.size(ctx)
	playing, stop := context.WithTimeout(ctx, duration)
	defer stop()
	waiting, giveUp := context.WithTimeout(ctx, duration+*soakDrain)
	defer giveUp()

	var stories sync.WaitGroup
	for _, a := range accounts {
		stories.Go(func() {
			if err := a.live(waiting, playing); err != nil {
				t.Error(err)
				stop()
			}
		})
	}
	f := &soakFaults{stage: s, seed: *soakSeed, pace: *soakPace, ends: start.Add(duration)}
	if *soakKinds != "" {
		f.only = strings.Split(*soakKinds, ",")
	}
	if err := f.run(playing); err != nil {
		t.Fatal(err)
	}
	t.Logf("faults are over after %v", time.Since(start).Round(time.Millisecond))
	for _, r := range s.rouses {
		if err := errors.Join(r.set(0), r.start()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.linked(waiting); err != nil {
		t.Fatal(err)
	}
	healed := time.Now()
	stories.Wait()
	result := soakResult{Seed: *soakSeed, Store: kind, For: duration, Faults: map[string]int{}, Drained: time.Since(healed), Date: start}
	sleep(ctx, 3*time.Second) // for what comes twice
	result.soakVerdict = s.books.judge()
	result.Tries = s.books.tries
	for _, fault := range s.books.faults {
		result.Faults[fault.kind]++
	}
	after := s.shrunk(ctx, before)
	result.Goroutines, result.Resident = [2]float64{before.goroutines, after.goroutines}, [2]float64{before.resident, after.resident}
	for _, r := range s.rouses {
		if err := errors.Join(r.died(), r.end(syscall.SIGTERM)); err != nil {
			t.Errorf("%s: at the end: %v", r.name, err)
		}
	}
	if err := s.verify(ctx); err != nil {
		t.Errorf("the store: %v", err)
	}
	result.show(t)
	result.demand(t, s)
	if *soakReport != "" {
		result.write(t)
	}
}

// setSoak sets the stage: everything runs, all devices are registered and enabled.
func setSoak(ctx context.Context, t *testing.T, kind string) (*soakStage, []*soakAccount) {
	t.Helper()
	users := map[string]string{}
	var accounts []*soakAccount
	for i := range *soakAccounts {
		user := fmt.Sprintf("user%d", i)
		users[user] = "pw"
		accounts = append(accounts, &soakAccount{user: user, pause: 700 * time.Millisecond, rng: rand.New(rand.NewPCG(*soakSeed, uint64(1000+i)))})
	}
	s, err := newSoakStage(ctx, t.TempDir(), kind, users)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("at the end: %v", err)
		}
		if t.Failed() || *soakReport != "" {
			duration := *soakFor / time.Duration(len(strings.Split(*soakOn, ",")))
			t.Logf("to repeat it: make soak ARGS=\"-soak.seed=%d -soak.for=%v -soak.pace=%v -soak.faults=%s -soak.store=%s\"", *soakSeed, duration, *soakPace, *soakKinds, kind)
			s.keep(t)
		}
	})
	for _, r := range s.rouses {
		if err := r.start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.linked(ctx); err != nil {
		t.Fatal(err)
	}
	for i, a := range accounts {
		a.stage = s
		if err := a.enrol(ctx, 1+i%2); err != nil {
			t.Fatal(err)
		}
		s.devices = append(s.devices, a.devices...)
	}
	return s, accounts
}

// size is what a process takes.
type size struct{ goroutines, resident float64 }

// size gives the most of all processes.
func (s *soakStage) size(ctx context.Context) size {
	var most size
	for _, r := range s.rouses {
		m := r.metrics(ctx)
		most.goroutines, most.resident = max(most.goroutines, m["go_goroutines"]), max(most.resident, m["process_resident_memory_bytes"])
	}
	return most
}

// shrunk waits a while until the processes are about as they were.
func (s *soakStage) shrunk(ctx context.Context, before size) size {
	now := s.size(ctx)
	for range 60 {
		if now.goroutines <= before.goroutines+goroutinesMore {
			break
		}
		sleep(ctx, 500*time.Millisecond)
		now = s.size(ctx)
	}
	return now
}

// What may be left of a fault: connections that nobody has missed yet.
const (
	goroutinesMore = 12
	residentMore   = 64 << 20
)

// demand fails the test where the result is not what is promised.
func (r *soakResult) demand(t *testing.T, s *soakStage) {
	t.Helper()
	if len(r.Lost) > 0 {
		t.Errorf("%d are lost:\n%s", len(r.Lost), strings.Join(r.Lost[:min(len(r.Lost), 20)], "\n"))
	}
	// A double needs a wake in flight at a crash; in a short run a few of them are more than one in a thousand.
	if n := r.doubledInAll(); n > max(5, int(float64(r.Wakes)**soakDoubled)) || r.Doubled["nothing"] > 0 {
		t.Errorf("%d of %d wakes are doubled: %v", n, r.Wakes, r.Doubled)
	}
	if len(s.books.strange) > 0 {
		t.Errorf("wakes for devices that nobody has: %q", s.books.strange)
	}
	if r.Wakes == 0 || r.Owed == 0 {
		t.Errorf("nothing happened: %d wakes for %d", r.Wakes, r.Owed)
	}
	if r.Goroutines[1] > r.Goroutines[0]+goroutinesMore {
		t.Errorf("goroutines: %v before, %v at the end", r.Goroutines[0], r.Goroutines[1])
	}
	if r.Resident[1] > 2*r.Resident[0]+residentMore {
		t.Errorf("resident memory: %v before, %v at the end", r.Resident[0], r.Resident[1])
	}
}

func (r *soakResult) show(t *testing.T) {
	t.Helper()
	var b strings.Builder
	total := 0
	for _, n := range r.Faults {
		total += n
	}
	fmt.Fprintf(&b, "seed %d, %s, %v of faults\n", r.Seed, r.Store, r.For)
	fmt.Fprintf(&b, "%d stanzas, %d wakes owed, %d accepted in %d tries; %d lost, %d doubled %v, %d needless; not counted: %v\n",
		r.Stanzas, r.Owed, r.Wakes, r.Tries, len(r.Lost), r.doubledInAll(), r.Doubled, r.Needless, r.Excused)
	fmt.Fprintf(&b, "%d faults; drained in %v; goroutines %v -> %v, resident %.0f MB -> %.0f MB\n", total, r.Drained.Round(time.Millisecond),
		r.Goroutines[0], r.Goroutines[1], r.Resident[0]/1e6, r.Resident[1]/1e6)
	fmt.Fprintf(&b, "%-16s %6s  worst wake\n", "fault", "times")
	kinds := r.Faults
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, "%-16s %6d  %v\n", k, kinds[k], r.Worst[k].Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "%-16s %6s  %v\n", "nothing", "", r.Worst["nothing"].Round(time.Millisecond))
	fmt.Fprintf(&b, "slowest: %s\n", r.slowest)
	for _, d := range r.doubles {
		fmt.Fprintln(&b, d)
	}
	t.Log(b.String())
}

func (r *soakResult) write(t *testing.T) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(*soakReport, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// keep saves the logs of a run that failed, which are too long to be shown.
func (s *soakStage) keep(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rouse-soak-")
	if err != nil {
		t.Error(err)
		return
	}
	files := []string{s.prosody.LogFile()}
	for _, r := range s.rouses {
		files = append(files, filepath.Join(s.dir, r.name+".log"))
		t.Logf("%s:\n%s", r.name, r.logTail(30))
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("the logs are in %s", dir)
}
