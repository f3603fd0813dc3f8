package main

import (
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

	mu    sync.Mutex // guards what follows: hands and the end of a run meet here
	cmd   *exec.Cmd
	ended chan error
	lives int
}

// start starts it, if it does not run, and waits for nothing.
func (r *soakRouse) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "serve", "-c", r.config)
	cmd.Env = append(os.Environ(), asRouse+"=1", rouseClock+"="+r.clock())
	logs := struct{ io.Writer }{r.log} // through a pipe: a limit on files must not cut it off
	cmd.Stdout, cmd.Stderr = logs, logs
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.cmd, r.ended = cmd, ended
	r.lives++
	return nil
}

// signal sends one, if the process runs.
func (r *soakRouse) signal(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return nil
	}
	return r.cmd.Process.Signal(sig)
}

// full has the disk be full for it, or not any more.
func (r *soakRouse) full(is bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return nil
	}
	return diskFull(r.cmd.Process.Pid, is)
}

// end ends it, and gives what it ended with.
func (r *soakRouse) end(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return nil
	}
	r.cmd.Process.Signal(sig)
	select {
	case err := <-r.ended:
		r.cmd = nil
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
	if r.cmd == nil {
		return nil
	}
	select {
	case err := <-r.ended:
		r.ended <- err
		return fmt.Errorf("%s ended by itself: %v", r.name, err)
	default:
		return nil
	}
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
