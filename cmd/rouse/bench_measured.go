package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"rouse/config"
	"rouse/store"
)

// measuredArg has `rouse bench` be the process that is measured. It works until
// its input ends; each line on it is answered with a tally.
const measuredArg = "measured"

// tally is what a process has used up since it began.
type tally struct {
	CPU     time.Duration `json:"cpu"`     // user and system
	Allocs  uint64        `json:"allocs"`  // objects on the heap
	Bytes   uint64        `json:"bytes"`   // of them
	Commits uint64        `json:"commits"` // transactions
	Peak    int64         `json:"peak"`    // resident memory, KiB
}

// subject is the path that is measured.
type subject struct {
	db      store.Store
	commits func() uint64 // transactions of db; nil: it has none
	stop    func() error
}

// measured is the measured process: path, configuration and directory for profiles, or "".
func measured(io stdio, args []string) error {
	if len(args) != 3 {
		return usage{text: "bench measured: this is what bench calls itself", hint: "rouse bench wake"}
	}
	path, file, profile := args[0], args[1], args[2]
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	start := startRouse
	if path == pathStock {
		start = startStock
	}
	s, err := start(context.Background(), cfg, io.err)
	if err != nil {
		return err
	}
	return errors.Join(s.answer(io, profile), s.stop())
}

func (s subject) answer(io stdio, profile string) error {
	out := json.NewEncoder(io.out)
	lines := bufio.NewScanner(io.in)
	for n := 0; lines.Scan(); n++ {
		if err := s.settled(); err != nil {
			return err
		}
		t, err := s.tally()
		if profile != "" && err == nil {
			err = profiles(profile, n)
		}
		if err == nil {
			err = out.Encode(t)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// settled waits until no wake is owed any more, as long as that goes on; but for those
// that wake a device again the next day, since none here comes back.
func (s subject) settled() error {
	const patience = time.Minute
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last, since := (time.Time{}), time.Now(); ; <-tick.C {
		due, some, err := s.nextDue()
		switch {
		case err != nil:
			return err
		case !some || time.Until(due) > benchAgain/2:
			return nil
		case !due.Equal(last):
			last, since = due, time.Now()
		case time.Since(since) > patience:
			return fmt.Errorf("a wake is owed that was due at %v, and has been for %v", due.Format(time.TimeOnly), patience)
		}
	}
}

func (s subject) nextDue() (time.Time, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.db.NextDue(ctx)
}

func (s subject) tally() (tally, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return tally{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t := tally{
		CPU:    time.Duration(used.Utime.Nano() + used.Stime.Nano()),
		Allocs: m.Mallocs, Bytes: m.TotalAlloc, Peak: int64(used.Maxrss),
	}
	if s.commits != nil {
		t.Commits = s.commits()
	}
	return t, nil
}

// profiles covers what is between the first and the second tally.
func profiles(dir string, n int) error {
	if n > 0 {
		pprof.StopCPUProfile()
		return writeProfile(dir+"-allocs.pprof", func(w io.Writer) error { return pprof.Lookup("allocs").WriteTo(w, 0) })
	}
	f, err := os.Create(dir + "-cpu.pprof") // open until the process ends
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}

func writeProfile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// measuredProcess is the measured process as its parent sees it.
type measuredProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	ended chan struct{}
	err   error // of its end
}

// startMeasured starts it. When it ends by itself, abort is called.
func startMeasured(ctx context.Context, abort context.CancelCauseFunc, again func(context.Context, ...string) (*exec.Cmd, error),
	log io.Writer, path, file, profile string) (*measuredProcess, error) {
	cmd, err := again(ctx, "bench", measuredArg, path, file, profile)
	if err != nil {
		return nil, err
	}
	p := &measuredProcess{cmd: cmd, ended: make(chan struct{})}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, toUs := io.Pipe()
	cmd.Stdout, cmd.Stderr = toUs, log
	p.out = json.NewDecoder(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		if p.err = cmd.Wait(); p.err != nil {
			p.err = fmt.Errorf("the measured process: %w", p.err)
		}
		toUs.Close()
		abort(errors.New("it ended"))
	}()
	return p, nil
}

// mark has the process settle everything and tell what it has used so far.
func (p *measuredProcess) mark() (t tally, err error) {
	if _, err := io.WriteString(p.in, "tally\n"); err != nil {
		return t, err
	}
	return t, p.out.Decode(&t)
}

// end lets the process end, and waits for it.
func (p *measuredProcess) end() error {
	p.in.Close()
	<-p.ended
	return p.err
}
