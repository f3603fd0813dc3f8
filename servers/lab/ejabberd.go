package lab

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rouse/servers/ejabberd"
)

//go:embed mod_lab.erl
var labModule []byte

// Ejabberd is one ejabberd server. Its methods are for one goroutine at a time,
// except the ones that only tell addresses.
type Ejabberd struct {
	opt                  EjabberdOptions
	c2s, component, http int // ports
	running              *process
	peopled              bool // the accounts are there
}

// CompileEjabberd makes mod_rouse and what the lab itself needs in ebin. A test
// program does it once for all its servers.
func CompileEjabberd(ctx context.Context, ebin string) error {
	dir, err := os.MkdirTemp("", "rouse-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "mod_lab.erl")
	if err := os.WriteFile(file, labModule, 0o600); err != nil {
		return err
	}
	return ejabberd.Compile(ctx, ebin, file)
}

// NewEjabberd writes the configuration into opt.Dir and picks free ports.
// Nothing runs yet.
func NewEjabberd(ctx context.Context, opt EjabberdOptions) (*Ejabberd, error) {
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return nil, err
	}
	opt.Dir = dir
	e := &Ejabberd{opt: opt.withDefaults()}
	if err := CheckEjabberd(); err != nil {
		return nil, err
	}
	for _, d := range []string{"spool", "logs"} {
		if err := os.MkdirAll(e.path(d), 0o700); err != nil {
			return nil, err
		}
	}
	if e.opt.Ebin == "" {
		e.opt.Ebin = e.path("ebin")
		if err := CompileEjabberd(ctx, e.opt.Ebin); err != nil {
			return nil, err
		}
	}
	return e, e.pickPorts()
}

// StartEjabberd is NewEjabberd and Start.
func StartEjabberd(ctx context.Context, opt EjabberdOptions) (*Ejabberd, error) {
	e, err := NewEjabberd(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := e.Start(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Ejabberd) path(name string) string { return filepath.Join(e.opt.Dir, name) }

// Host is the virtual host.
func (e *Ejabberd) Host() string { return e.opt.Host }

// Rouse is the component that mod_rouse reports to, and that ejabberd lets in.
func (e *Ejabberd) Rouse() Component { return e.opt.Rouse }

// ClientAddr is host:port for clients (unencrypted, loopback).
func (e *Ejabberd) ClientAddr() string { return fmt.Sprintf("127.0.0.1:%d", e.c2s) }

// ComponentAddr is host:port for components.
func (e *Ejabberd) ComponentAddr() string { return fmt.Sprintf("127.0.0.1:%d", e.component) }

// Spool is the directory of ejabberd's own database.
func (e *Ejabberd) Spool() string { return e.path("spool") }

// ModulesDir is where its module_install looks for sources and puts modules.
func (e *Ejabberd) ModulesDir() string { return e.path("modules") }

// LogFile is where ejabberd logs to.
func (e *Ejabberd) LogFile() string { return e.path("logs/ejabberd.log") }

// LogTail is the last n lines of the log, for a person who wants to know what went wrong.
func (e *Ejabberd) LogTail(n int) string { return tail(e.LogFile(), n) }

// pickPorts takes ports that are free now and writes the configuration with them.
func (e *Ejabberd) pickPorts() error {
	for _, port := range []*int{&e.c2s, &e.component, &e.http} {
		free, release, err := FreePort()
		if err != nil {
			return err
		}
		defer release() // all stay taken until all are known, so they differ
		*port = free
	}
	return e.writeConfig()
}

// Configure changes the options and writes the configuration anew. ejabberd reads
// it when it starts, or when its command reload_config is run.
func (e *Ejabberd) Configure(change func(*EjabberdOptions)) error {
	change(&e.opt)
	return e.writeConfig()
}

func (e *Ejabberd) writeConfig() error {
	return os.WriteFile(e.path("ejabberd.yml"), []byte(e.config()), 0o600)
}

// Start runs ejabberd and returns when it listens and the accounts are there.
func (e *Ejabberd) Start(ctx context.Context) error {
	if e.running != nil {
		return errors.New("lab: ejabberd runs already")
	}
	for attempt := 1; ; attempt++ {
		err := e.start(ctx)
		if err == nil {
			break
		}
		if attempt == 3 || ctx.Err() != nil || !strings.Contains(e.LogTail(200), "eaddrinuse") {
			return err
		}
		// Somebody took a port between our look and ejabberd's.
		if err := errors.Join(e.Kill(), e.pickPorts()); err != nil {
			return err
		}
	}
	if e.peopled {
		return nil
	}
	for _, o := range e.hosts() {
		for name, password := range o.Users {
			if err := e.On(o.Host).AddUser(ctx, name, password); err != nil {
				return err
			}
		}
	}
	e.peopled = true
	return nil
}

// start runs the emulator as it is: without distribution, which only a cluster
// has, it needs no epmd, and without ejabberdctl no user of its own.
func (e *Ejabberd) start(ctx context.Context) error {
	libs, err := EjabberdLibraries()
	if err != nil {
		return err
	}
	cmd := exec.Command("erl", append([]string{"+K", "true", "+S", "1:1", "-noinput", "-mnesia", "dir", `"` + e.Spool() + `"`,
		"-pa", e.opt.Ebin, "-ejabberd", "quiet", "true", "-s", "ejabberd"}, e.opt.Node.flags()...)...)
	cmd.Dir = e.opt.Dir
	cmd.Env = append(os.Environ(), "EJABBERD_CONFIG_PATH="+e.path("ejabberd.yml"), "EJABBERD_LOG_PATH="+e.LogFile(),
		"ERL_LIBS="+libs, "CONTRIB_MODULES_PATH="+e.ModulesDir(),
		"ERL_CRASH_DUMP="+e.path("logs/crash.dump"), "HOME="+e.opt.Dir)
	cmd.Env = append(cmd.Env, e.opt.Node.env()...)
	killedWithParent(cmd)
	proc, err := begin(cmd, e.path("ejabberd.out"))
	if err != nil {
		return err
	}
	e.running = proc
	for _, addr := range []string{e.ClientAddr(), e.ComponentAddr(), e.httpAddr()} {
		err := proc.await(ctx, func(ctx context.Context) error { return takesConnections(ctx, addr) })
		if err != nil {
			return errors.Join(fmt.Errorf("lab: ejabberd does not listen on %s: %w\n%s\n%s", addr, err, tail(e.path("ejabberd.out"), 30), e.LogTail(30)), e.Kill())
		}
	}
	return nil
}

// Stop ends ejabberd as an administrator does and waits for it.
func (e *Ejabberd) Stop(ctx context.Context) error {
	if e.running == nil {
		return nil
	}
	err := e.running.stop(ctx)
	e.running = nil
	return err
}

// Kill ends ejabberd as a power cut does (SIGKILL) and waits for it.
func (e *Ejabberd) Kill() error {
	if e.running == nil {
		return nil
	}
	err := e.running.kill()
	e.running = nil
	return err
}

// Restart is Stop and Start, on the same ports.
func (e *Ejabberd) Restart(ctx context.Context) error {
	if err := e.Stop(ctx); err != nil {
		return err
	}
	return e.Start(ctx)
}

// Close kills ejabberd.
func (e *Ejabberd) Close() error { return e.Kill() }

func (e *Ejabberd) httpAddr() string { return fmt.Sprintf("127.0.0.1:%d", e.http) }

// API runs one of ejabberd's commands over HTTP: args becomes its JSON arguments. It returns the answer, which is JSON.
func (e *Ejabberd) API(ctx context.Context, command string, args any) (string, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.httpAddr()+"/api/"+command, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("lab: %s: %s: %s", command, resp.Status, b)
	}
	return string(b), err
}

// AddUser makes an account in the running server.
func (e *Ejabberd) AddUser(ctx context.Context, name, password string) error {
	return e.On(e.opt.Host).AddUser(ctx, name, password)
}

// Eval evaluates Erlang expressions, ended by a full stop, in the running server and returns the value of the last one.
func (e *Ejabberd) Eval(ctx context.Context, code string) (string, error) {
	out, err := e.API(ctx, "lab_eval", map[string]string{"code": code})
	if err != nil {
		return out, err
	}
	var answer struct{ Value string }
	err = json.Unmarshal([]byte(out), &answer)
	return answer.Value, err
}

// Unload takes a module out of the running server, Load puts it in as it is configured.
func (e *Ejabberd) Unload(ctx context.Context, module string) error {
	return e.On(e.opt.Host).Unload(ctx, module)
}

// Load puts a module into the running server.
func (e *Ejabberd) Load(ctx context.Context, module string) error {
	return e.On(e.opt.Host).Load(ctx, module)
}
