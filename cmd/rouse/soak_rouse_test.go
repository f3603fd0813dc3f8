package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// soakRouse is one rouse process, which is killed, stopped and started again.
type soakRouse struct {
	name   string
	config string // file
	web    string // host:port
	link   *wire  // to Prosody
	log    *os.File
	ahead  time.Duration // its clock, of the time; for one hand at a time

	mu     sync.Mutex // guards what follows: hands and the end of a run meet here
	cmd    *exec.Cmd
	said   *readyLine
	ended  chan error
	wanted bool  // it is to run; whoever ends it wants it to stay so
	fell   error // it ended by itself, when it was ready already
	again  int   // it could not begin, and was started once more
	all    sync.WaitGroup
}

// start starts it, if it does not run, and waits for nothing.
func (r *soakRouse) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = true
	if r.cmd != nil {
		return nil
	}
	return r.launch()
}

func (r *soakRouse) launch() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "serve", "-c", r.config)
	cmd.Env = append(os.Environ(), asRouse+"=1", rouseClock+"="+r.clock())
	said := &readyLine{to: r.log} // through a pipe: a limit on files must not cut it off
	cmd.Stdout, cmd.Stderr = said, said
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	r.cmd, r.said, r.ended = cmd, said, ended
	r.all.Go(func() {
		err := cmd.Wait()
		ended <- err
		r.fallen(cmd, err)
	})
	return nil
}

// fallen is for a process that ended by itself. One that could not begin, with
// its disk full or its store away, is started again, as systemd does it.
func (r *soakRouse) fallen(cmd *exec.Cmd, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != cmd {
		return
	}
	if r.said.ready() {
		r.fell = fmt.Errorf("%s ended by itself: %v", r.name, err)
		return
	}
	r.cmd = nil
	r.again++
	r.all.Go(func() {
		time.Sleep(500 * time.Millisecond)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.wanted && r.cmd == nil {
			r.fell = errors.Join(r.fell, r.launch())
		}
	})
}

// readyLine passes on what a process writes, and sees when it is ready.
type readyLine struct {
	to   io.Writer
	mu   sync.Mutex
	seen bool
}

func (l *readyLine) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=ready ")) {
		l.mu.Lock()
		l.seen = true
		l.mu.Unlock()
	}
	return l.to.Write(p)
}

func (l *readyLine) ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// signal sends one, if the process runs.
func (r *soakRouse) signal(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return nil
	}
	if err := r.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil // see fallen
}

// full has the disk be full for it, or not any more.
func (r *soakRouse) full(is bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return nil
	}
	if err := diskFull(r.cmd.Process.Pid, is); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil // it has just ended, and begins with room
}

// end ends it, and gives what it ended with.
func (r *soakRouse) end(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = false
	if r.cmd == nil {
		return nil
	}
	r.cmd.Process.Signal(sig)
	select {
	case err := <-r.ended:
		r.cmd = nil
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() && r.said.ready() && sig == syscall.SIGKILL {
			r.fell = fmt.Errorf("%s ended by itself: %v", r.name, err)
		}
		return err
	case <-time.After(time.Minute):
		r.cmd.Process.Kill()
		<-r.ended
		r.cmd = nil
		return errors.New(r.name + ": did not end within a minute")
	}
}

// kill ends it as a crash would.
func (r *soakRouse) kill() { r.end(syscall.SIGKILL) }

// died gives how it ended, if it did by itself.
func (r *soakRouse) died() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fell
}

// metrics reads values of /metrics, without labels; nil: it does not answer.
func (r *soakRouse) metrics(ctx context.Context) map[string]float64 {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.web+"/metrics", nil)
	if err != nil {
		return nil
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		var v float64
		if _, err := fmt.Sscan(value, &v); ok && err == nil {
			values[name] = v
		}
	}
	return values
}

func (r *soakRouse) logTail(lines int) string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(r.config), r.name+".log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
