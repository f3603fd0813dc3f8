package dirlab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Server is a directory server.
type Server interface {
	URL() string                     // where it is
	Start(ctx context.Context) error // starts it again
	Kill() error                     // ends it as a crash would
	Stop() error                     // ends it in good order
	Conn() (*ldap.Conn, error)       // a connection that may do everything
}

// process is one that runs as a child.
type process struct {
	name, url, manager string
	cmd                *exec.Cmd
	end                chan error
	log                *os.File
	env                []string // beside that of this process
}

// URL is where it is.
func (p *process) URL() string { return p.url }

func (p *process) start(ctx context.Context, program string, args ...string) error {
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if len(p.env) > 0 {
		p.cmd.Env = append(os.Environ(), p.env...)
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.end = make(chan error, 1)
	go func(c *exec.Cmd, end chan error) { end <- c.Wait() }(p.cmd, p.end)
	for {
		c, err := p.Conn()
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", p.name, err)
		case why := <-p.end:
			log, _ := os.ReadFile(p.log.Name())
			return fmt.Errorf("%s ended: %v: %s", p.name, why, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends it as a crash would.
func (p *process) Kill() error { return p.signal(syscall.SIGKILL) }

// Stop ends it in good order.
func (p *process) Stop() error { return p.signal(syscall.SIGTERM) }

func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	<-p.end
	return nil
}

// Conn is a connection that may do everything.
func (p *process) Conn() (*ldap.Conn, error) {
	c, err := ldap.DialURL(p.url)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(p.manager, Password); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
