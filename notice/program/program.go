package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

// What a program reads on standard input.
const (
	JSON = "json"
	Text = "text"
	Mail = "mail"
	None = "none"
)

// Config is one program.
type Config struct {
	Name    string
	Command []string // the program, by its path, and its arguments
	Env     []string // NAME=VALUE, beside PATH, LANG and ROUSE_*
	Input   string   // JSON, Text, Mail or None
	Timeout time.Duration
	User    string // as whom it runs; empty: as rouse does
	Logger  *slog.Logger
}

// Program runs.
type Program struct {
	cfg  Config
	cred *syscall.Credential
	home string
}

const (
	tempFail  = 75 // EX_TEMPFAIL
	maxOutput = 4 << 10
	drain     = 10 * time.Second // that a program gets when rouse stops
	linger    = 5 * time.Second  // that its children may hold its output
	path      = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// New makes one. It fails if there is no such user.
func New(cfg Config) (*Program, error) {
	p := &Program{cfg: cfg, home: "/"}
	if cfg.User == "" {
		return p, nil
	}
	u, err := user.Lookup(cfg.User)
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	groups, err3 := u.GroupIds()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	p.home = u.HomeDir
	p.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, g := range groups {
		if n, err := strconv.ParseUint(g, 10, 32); err == nil {
			p.cred.Groups = append(p.cred.Groups, uint32(n))
		}
	}
	return p, nil
}

// Send runs it once. nil: it ended with 0.
func (p *Program) Send(ctx context.Context, d outbox.Delivery) error {
	doc := document(d)
	input, err := doc.input(p.cfg.Input)
	if err != nil {
		return fmt.Errorf("program %s: %w", p.cfg.Name, err)
	}
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { // it may finish what it began
		timer := time.NewTimer(drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-run.Done():
		}
	})()
	args := make([]string, len(p.cfg.Command))
	for i, a := range p.cfg.Command {
		args[i] = doc.fill(a)
	}
	cmd := exec.CommandContext(run, p.cfg.Command[0], args[1:]...)
	cmd.Env = []string{path, "LANG=C.UTF-8", "HOME=" + p.home, "ROUSE_ID=" + doc.ID, "ROUSE_KIND=" + doc.Kind, "ROUSE_SEVERITY=" + doc.Severity,
		"ROUSE_SUBJECT=" + doc.Subject, "ROUSE_USER=" + doc.User, "ROUSE_TEXT=" + doc.Text}
	for _, e := range p.cfg.Env {
		name, value, _ := strings.Cut(e, "=")
		cmd.Env = append(cmd.Env, name+"="+doc.fill(value))
	}
	cmd.Env = slices.DeleteFunc(cmd.Env, func(e string) bool { return strings.ContainsRune(e, 0) }) // none can have that
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(input)
	output := &capped{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.cred}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its children
	cmd.WaitDelay = linger
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("program %s: cannot be started: %w", p.cfg.Name, err)
	}
	err = cmd.Wait()
	log := p.cfg.Logger.With("program", p.cfg.Name, "kind", doc.Kind, "id", doc.ID, "output", output.String())
	var exited *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		log.Debug("a program ran")
		return nil
	case run.Err() != nil && ctx.Err() != nil:
		return fmt.Errorf("program %s: was stopped: %w", p.cfg.Name, ctx.Err())
	case run.Err() != nil:
		log.Error("a program took too long, and was ended", "timeout", p.cfg.Timeout)
		return fmt.Errorf("program %s: %w: it did not end within %v", p.cfg.Name, notice.ErrUndeliverable, p.cfg.Timeout)
	case errors.As(err, &exited) && exited.ExitCode() == tempFail:
		log.Warn("a program wants to be run again")
		return fmt.Errorf("program %s: wants to be run again (exit status %d)", p.cfg.Name, tempFail)
	}
	log.Error("a program failed", "err", err)
	return fmt.Errorf("program %s: %w: %w", p.cfg.Name, notice.ErrUndeliverable, err)
}

// capped keeps the beginning of what is written.
type capped struct {
	text bytes.Buffer
	lost int
}

func (c *capped) Write(b []byte) (int, error) {
	fits := min(len(b), maxOutput-c.text.Len())
	c.text.Write(b[:fits])
	c.lost += len(b) - fits
	return len(b), nil
}

func (c *capped) String() string {
	s := strings.TrimSpace(strings.ToValidUTF8(c.text.String(), "?"))
	if c.lost > 0 {
		s += fmt.Sprintf(" … (%d bytes more)", c.lost)
	}
	return s
}
