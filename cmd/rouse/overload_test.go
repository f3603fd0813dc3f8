package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// What an overload can be told: make soak ARGS="-overload.for=60s -overload.strict".
var (
	overloadFor    = flag.Duration("overload.for", 5*time.Second, "how long three times too much is offered")
	overloadUsers  = flag.Int("overload.users", 4000, "accounts with a device each")
	overloadStrict = flag.Bool("overload.strict", false, "demand times too, which a busy machine cannot keep")
)

const (
	overloadTimes    = 3
	overloadResident = 400 << 20              // of the process, for so many users
	overloadProvider = 100 * time.Millisecond // what the provider takes for each wake
	overloadWait     = 5 * time.Minute        // for everything that is to come
)

// TestOverload offers three times what can be sent, as a server's module and as
// servers without one do. What is accepted wakes; what is not stays with the sender.
func TestOverload(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), *overloadFor*2+2*overloadWait)
	defer cancel()
	stage, err := (&benchStage{dir: t.TempDir(), total: *overloadUsers}).set(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer stage.close()
	f, err := newFlood(stage)
	if err != nil {
		t.Fatal(err)
	}
	r := overloadRouse(t, stage, f.address())
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.end(syscall.SIGTERM); err != nil {
			t.Errorf("at the end: %v", err)
		}
		r.all.Wait()
		f.close()
		if err := r.died(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.logTail(30))
		}
	}()
	if err := f.accept(ctx); err != nil {
		t.Fatal(err)
	}
	stage.apns.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: overloadProvider} })
	stage.apns.OnAnswer(f.pushed)

	capacity, err := f.capacity(ctx, max(3*time.Second, *overloadFor/6))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.settled(ctx); err != nil {
		t.Fatalf("after the measurement: %v", err)
	}
	before := r.metrics(ctx)["process_resident_memory_bytes"]

	watching, stop := context.WithCancel(ctx)
	most := make(chan float64)
	go func() { most <- watchResident(watching, r) }()
	start := time.Now()
	offered, err := f.offer(ctx, capacity*overloadTimes, *overloadFor)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if err := f.settled(ctx); err != nil {
		t.Errorf("after the overload: %v", err)
	}
	recovery := time.Since(start) - took
	stop()
	resident := <-most
	time.Sleep(time.Second) // for what comes twice

	v := f.books.judge()
	calls, messages := f.latencies(start)
	t.Logf("capacity %.0f wakes/s; offered %d stanzas in %v, %.1f times as much; accepted %d, answered wait %d, longest queue of the module %d\n"+
		"%d wakes for %d owed; %d lost, %d doubled; recovery %v; resident %.0f MB before, %.0f MB at most\n"+
		"from acceptance to wake: calls %v and messages %v in the middle, calls %v and messages %v for 95 of 100",
		capacity, offered, took.Round(time.Millisecond), float64(offered)/took.Seconds()/capacity, f.taken(), f.waits, f.longest,
		v.Wakes, v.Owed, len(v.Lost), v.doubledInAll(), recovery.Round(10*time.Millisecond), before/1e6, resident/1e6,
		percentile(calls, 50), percentile(messages, 50), percentile(calls, 95), percentile(messages, 95))
	if len(v.Lost) > 0 {
		t.Errorf("%d are lost:\n%s", len(v.Lost), strings.Join(v.Lost[:min(len(v.Lost), 20)], "\n"))
	}
	if n := v.doubledInAll(); n > 0 {
		t.Errorf("%d wakes are doubled: %v", n, v.doubles[:min(len(v.doubles), 5)])
	}
	if resident > overloadResident {
		t.Errorf("%.0f MB are resident, at most %d MB are wanted", resident/1e6, overloadResident>>20)
	}
	if len(calls) == 0 || len(messages) == 0 || v.Owed < offered/2 {
		t.Errorf("too little happened: %d calls, %d messages woke, for %d", len(calls), len(messages), v.Owed)
	}
	if !*overloadStrict {
		return
	}
	if recovery > took {
		t.Errorf("recovery took %v, longer than the overload, %v", recovery, took)
	}
	if c, m := percentile(calls, 95), percentile(messages, 50); c > m {
		t.Errorf("95 of 100 calls took up to %v, half of the messages only %v", c, m)
	}
}

// percentile is of a sorted list.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[(len(list)-1)*p/100].Round(time.Millisecond)
}

func overloadRouse(t *testing.T, stage *benchStage, address string) *soakRouse {
	t.Helper()
	file, err := stage.prepare("overload", address)
	if err != nil {
		t.Fatal(err)
	}
	port, release, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	web := fmt.Sprintf("127.0.0.1:%d", port)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(`listen = ""`, fmt.Sprintf("listen = %q", web), `level = "error"`, `level = "info"`).Replace(string(text)))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	logs, err := os.Create(filepath.Join(filepath.Dir(file), "rouse.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { logs.Close() })
	return &soakRouse{name: "rouse", config: file, web: web, log: logs}
}

// watchResident gives the most memory that was resident until ctx ends.
func watchResident(ctx context.Context, r *soakRouse) (most float64) {
	for {
		most = max(most, r.metrics(context.WithoutCancel(ctx))["process_resident_memory_bytes"])
		if !sleep(ctx, 500*time.Millisecond) {
			return most
		}
	}
}

// latencies are those of what was accepted since a time, until the wake that came
// for it, sorted.
func (f *flood) latencies(since time.Time) (calls, messages []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.devices {
		for _, a := range d.accepted {
			if a.at.Before(since) {
				continue
			}
			if at, ok := d.page.cover(a.sent, a.call); ok {
				took := max(at.Sub(a.at), 0) // the wake may be out before the answer is in
				if a.call {
					calls = append(calls, took)
				} else {
					messages = append(messages, took)
				}
			}
		}
	}
	slices.Sort(calls)
	slices.Sort(messages)
	return calls, messages
}
