package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rouse/servers/lab"
)

// theatre is where scenes on ejabberd are played: starting an ejabberd takes
// seconds, and a host more costs next to nothing.
var theatre ejabberds

// ejabberds are one server with many hosts, each for one scene, and what servers
// that are for one scene alone are made of.
type ejabberds struct {
	compiled, opened sync.Once
	compileErr, err  error
	dir              string
	all              *lab.Ejabberd

	mu   sync.Mutex
	free map[hostKind][]string // hosts that no scene has had yet
}

// hostKind is how hosts of one server differ.
type hostKind struct {
	ackDelay, hibernation time.Duration
	noArchive             bool
}

// The hosts are there before the scenes that ask for them. A scene that comes
// too late has a server of its own.
var offers = map[hostKind]int{
	{}:                          60,
	{noArchive: true}:           4,
	{ackDelay: 2 * time.Second}: 6,
	{ackDelay: 5 * time.Second}: 0, // and one for each history
	{hibernation: time.Second, noArchive: true}:  2,
	{hibernation: time.Second}:                   2,
	{ackDelay: 2 * time.Second, noArchive: true}: 2,
}

// serve gives a host of the server that is there, or a server in dir.
func (e *ejabberds) serve(ctx context.Context, dir string, w wish) (server, error) {
	if w.alone {
		return e.alone(ctx, dir, w.ejabberd())
	}
	if err := e.compile(ctx); err != nil {
		return nil, err
	}
	e.opened.Do(func() { e.err = e.open(ctx) })
	if e.err != nil {
		return nil, e.err
	}
	host := e.take(w)
	if host == "" {
		return startEjabberd(ctx, dir, e.ebin(), w.ejabberd())
	}
	s := shared{onEjabberd{e.all.On(host)}}
	for name, password := range w.users {
		if err := s.AddUser(ctx, name, password); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (e *ejabberds) ebin() string { return filepath.Join(e.dir, "ebin") }

// take gives a host that offers what is wished; "" where there is none.
func (e *ejabberds) take(w wish) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := hostKind{w.ackDelay, w.hibernation, w.noArchive}
	hosts := e.free[o]
	if len(hosts) == 0 {
		return ""
	}
	e.free[o] = hosts[1:]
	return hosts[0]
}

// alone gives a server in dir that nobody else is on.
func (e *ejabberds) alone(ctx context.Context, dir string, o lab.EjabberdOptions) (server, error) {
	if err := e.compile(ctx); err != nil {
		return nil, err
	}
	return startEjabberd(ctx, dir, e.ebin(), o)
}

// compile makes the modules, once.
func (e *ejabberds) compile(ctx context.Context) error {
	e.compiled.Do(func() {
		if e.dir, e.compileErr = os.MkdirTemp("", "rouse-theatre-"); e.compileErr == nil {
			e.compileErr = lab.CompileEjabberd(ctx, e.ebin())
		}
	})
	return e.compileErr
}

func (e *ejabberds) open(ctx context.Context) (err error) {
	o := lab.EjabberdOptions{Dir: filepath.Join(e.dir, "ejabberd"), Ebin: e.ebin(), Host: "theatre.test"}
	e.free = map[hostKind][]string{}
	for kind, n := range offers {
		if kind.ackDelay == 5*time.Second {
			n += *historiesN
		}
		for range n {
			w := wish{host: fmt.Sprintf("h%d.test", len(o.Further)), ackDelay: kind.ackDelay, hibernation: kind.hibernation, noArchive: kind.noArchive}
			o.Further = append(o.Further, w.ejabberd())
			e.free[kind] = append(e.free[kind], w.host)
		}
	}
	e.all, err = lab.StartEjabberd(ctx, o)
	return err
}

// close ends the server that all had.
func (e *ejabberds) close() error {
	var err error
	if e.all != nil {
		err = e.all.Close()
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// shared is a host of a server that others are on.
type shared struct{ onEjabberd }

var errShared = errors.New("this ejabberd has other hosts: wish for one alone")

func (shared) Start(context.Context) error            { return errShared }
func (shared) Stop(context.Context) error             { return errShared }
func (shared) Restart(context.Context) error          { return errShared }
func (shared) Kill() error                            { return errShared }
func (shared) ChangeOver(context.Context, bool) error { return errShared }
func (shared) Close() error                           { return nil }
