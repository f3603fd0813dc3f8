package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rouse/servers/prosody"
)

// Prosody is one Prosody server. Its methods are for one goroutine at a time,
// except the ones that only tell addresses.
type Prosody struct {
	opt                  Options
	c2s, component, http int    // ports
	socket               string // of the administration shell
	running              *process
}

// NewProsody writes the configuration, the module and the accounts into
// opt.Dir and picks free ports. Nothing runs yet.
func NewProsody(opt Options) (*Prosody, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return nil, err
	}
	opt.Dir = dir
	p := &Prosody{opt: opt.withDefaults()}
	for _, d := range []string{"data", "certs"} {
		if err := os.MkdirAll(p.path(d), 0o700); err != nil {
			return nil, err
		}
	}
	if err := prosody.Extract(p.path("modules")); err != nil {
		return nil, err
	}
	// The path of a socket may have 107 bytes; directories of tests are often longer.
	socket, err := os.MkdirTemp("", "rouse-lab-")
	if err != nil {
		return nil, err
	}
	p.socket = filepath.Join(socket, "shell")
	for name, password := range opt.Users {
		if err := p.AddUser(name, password); err != nil {
			return nil, err
		}
	}
	return p, p.pickPorts()
}

// StartProsody is NewProsody and Start.
func StartProsody(ctx context.Context, opt Options) (*Prosody, error) {
	p, err := NewProsody(opt)
	if err != nil {
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Prosody) path(name string) string { return filepath.Join(p.opt.Dir, name) }

func asRoot() bool { return os.Geteuid() == 0 }

// Host is the virtual host.
func (p *Prosody) Host() string { return p.opt.Host }

// Rouse is the component that mod_rouse reports to, and that Prosody lets in.
func (p *Prosody) Rouse() Component { return p.opt.Rouse }

// ClientAddr is host:port for clients (unencrypted, loopback).
func (p *Prosody) ClientAddr() string { return fmt.Sprintf("127.0.0.1:%d", p.c2s) }

// ComponentAddr is host:port for components.
func (p *Prosody) ComponentAddr() string { return fmt.Sprintf("127.0.0.1:%d", p.component) }

// OpenWebSocket lets clients in that way; see Options.WebSocket.
func (p *Prosody) OpenWebSocket() (*WebSocket, error) {
	return NewWebSocket(p.httpAddr(), "/xmpp-websocket", p.opt.Host)
}

func (p *Prosody) httpAddr() string { return fmt.Sprintf("127.0.0.1:%d", p.http) }

// ConfigFile is what prosodyctl wants to be told with --config.
func (p *Prosody) ConfigFile() string { return p.path("prosody.cfg.lua") }

// LogFile is where Prosody logs to.
func (p *Prosody) LogFile() string { return p.path("prosody.log") }

// LogTail is the last n lines of the log, for a person who wants to know what went wrong.
func (p *Prosody) LogTail(n int) string { return tail(p.LogFile(), n) }

// pickPorts takes ports that are free now and writes the configuration with them.
func (p *Prosody) pickPorts() error {
	for _, port := range []*int{&p.c2s, &p.component, &p.http} {
		free, release, err := FreePort()
		if err != nil {
			return err
		}
		defer release() // all stay taken until all are known, so they differ
		*port = free
	}
	return p.writeConfig()
}

// Configure changes the options and writes the configuration anew. Prosody reads
// it when it starts, or is told config:reload() in its shell.
func (p *Prosody) Configure(change func(*Options)) error {
	change(&p.opt)
	return p.writeConfig()
}

func (p *Prosody) writeConfig() error {
	return os.WriteFile(p.ConfigFile(), []byte(p.config()), 0o600)
}

// AddUser makes an account, or gives it another password. It works whether
// Prosody runs or not: accounts are read when somebody logs in.
func (p *Prosody) AddUser(name, password string) error {
	dir := filepath.Join(p.path("data"), strings.NewReplacer(".", "%2e", "-", "%2d").Replace(p.opt.Host), "accounts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".dat"), []byte("return { password = "+lua(password)+" };\n"), 0o600)
}

// Start runs Prosody and returns when it listens.
func (p *Prosody) Start(ctx context.Context) error {
	if p.running != nil {
		return errors.New("lab: Prosody runs already")
	}
	for attempt := 1; ; attempt++ {
		err := p.start(ctx)
		if err == nil || attempt == 3 || ctx.Err() != nil || !p.portLost() {
			return err
		}
		// Somebody took a port between our look and Prosody's.
		if err := errors.Join(p.Kill(), p.pickPorts()); err != nil {
			return err
		}
	}
}

func (p *Prosody) portLost() bool {
	return strings.Contains(p.LogTail(200), "Failed to open server port")
}

func (p *Prosody) start(ctx context.Context) error {
	cmd := exec.Command("prosody", "--config", p.ConfigFile(), "-F")
	cmd.Dir = p.opt.Dir
	dieWithParent(cmd)
	proc, err := begin(cmd, p.path("prosody.out"))
	if err != nil {
		return err
	}
	p.running = proc
	listening := []string{p.ClientAddr(), p.ComponentAddr()}
	if p.opt.WebSocket {
		listening = append(listening, p.httpAddr())
	}
	for _, addr := range listening {
		err := proc.await(ctx, func(ctx context.Context) error { return takesConnections(ctx, addr) })
		if err != nil {
			return errors.Join(fmt.Errorf("lab: Prosody does not listen on %s: %w\n%s\n%s", addr, err, tail(p.path("prosody.out"), 30), p.LogTail(30)), p.Kill())
		}
	}
	return nil
}

func takesConnections(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// Stop ends Prosody as an administrator does (SIGTERM) and waits for it.
func (p *Prosody) Stop(ctx context.Context) error {
	if p.running == nil {
		return nil
	}
	proc := p.running
	p.running = nil
	return proc.stop(ctx)
}

// Kill ends Prosody as a power cut does (SIGKILL) and waits for it.
func (p *Prosody) Kill() error {
	if p.running == nil {
		return nil
	}
	proc := p.running
	p.running = nil
	return proc.kill()
}

// Restart is Stop and Start, on the same ports.
func (p *Prosody) Restart(ctx context.Context) error {
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return p.Start(ctx)
}

// Close kills Prosody and removes what lies outside Dir.
func (p *Prosody) Close() error {
	return errors.Join(p.Kill(), os.RemoveAll(filepath.Dir(p.socket)))
}

// Shell runs one line in the server's administration shell and returns what it
// prints. Lines beginning with > are Lua in the server itself.
func (p *Prosody) Shell(ctx context.Context, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "prosodyctl", "--config", p.ConfigFile(), "shell", line)
	cmd.Dir = p.opt.Dir
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = io.Writer(&out), &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("lab: shell %q: %w: %s", line, err, out.String())
	}
	return out.String(), nil
}

// Unload takes a module out of the running server, Load puts it in, Reload does both.
func (p *Prosody) Unload(ctx context.Context, module string) error {
	return p.module(ctx, "unload", module)
}

// Load puts a module into the running server.
func (p *Prosody) Load(ctx context.Context, module string) error {
	return p.module(ctx, "load", module)
}

// Reload reads a module's code again.
func (p *Prosody) Reload(ctx context.Context, module string) error {
	return p.module(ctx, "reload", module)
}

func (p *Prosody) module(ctx context.Context, verb, name string) error {
	out, err := p.Shell(ctx, fmt.Sprintf("module:%s(%s, %s)", verb, lua(name), lua(p.opt.Host)))
	if err == nil && !strings.Contains(out, "OK:") {
		err = fmt.Errorf("lab: %s %s: %s", verb, name, out)
	}
	return err
}
