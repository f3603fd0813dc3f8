package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rouse/servers/lab"
)

// sceneServer is what a scene needs of its XMPP server in any case.
type sceneServer interface {
	Host() string
	Rouse() lab.Component
	ClientAddr() string
	ComponentAddr() string
	LogFile() string
	LogTail(lines int) string
	Close() error
}

// server is a sceneServer with mod_rouse, and what scenes do to it.
type server interface {
	sceneServer
	Name() string  // "Prosody" or "ejabberd"
	LetIn() string // what it logs when it lets rouse in
	OpenWebSocket() (*lab.WebSocket, error)

	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Kill() error
	PID() int
	Ended() bool // without being told to by us

	AddUser(ctx context.Context, name, password string) error
	DeleteUser(ctx context.Context, name string) error
	LoadModule(ctx context.Context) error   // mod_rouse
	UnloadModule(ctx context.Context) error // the same
	// ChangeOver has mod_rouse in its configuration or not, as an administrator would
	// while people chat; such a server is alone.
	ChangeOver(ctx context.Context, rouse bool) error
	// Settle returns when the server has worked off what its clients have sent,
	// as far as it does not do one thing after another anyhow.
	Settle(ctx context.Context) error
	// Saved tells whether what mod_rouse has still to report was written to the disk since.
	Saved(since time.Time) bool
}

// serverOf gives the server that a sceneServer is.
func serverOf(s sceneServer) server {
	switch s := s.(type) {
	case *lab.Prosody:
		return onProsody{s}
	case *lab.Ejabberd:
		return onEjabberd{s.On(s.Host())}
	case server:
		return s
	}
	panic(fmt.Sprintf("a scene cannot be played on a %T", s))
}

// wish is what a scene wants of its server, whichever it is. The zero value is
// an ordinary one, with an archive.
type wish struct {
	host        string // "example.test"
	users       map[string]string
	ackDelay    time.Duration // 30 s
	hibernation time.Duration // before a session that nobody resumes ends
	fallback    time.Duration // before the server publishes by itself; whole seconds
	noArchive   bool
	coalesce    string // what rouse is told; "5s"
	grace       string // the same; "0s"
	repeat      string // the same; none is woken again
	several     bool   // processes of rouse: a newer connection takes the place of the older

	alone      bool            // a server with no other scene on it: it is stopped, or has what follows
	components []lab.Component // beside rouse
	stray      string          // a host whose module reports to a rouse that was not told of it
	noModule   bool            // the server's own push module is all there is
	tells      bool            // that module publishes who wrote, and what
}

// rooms is the address of the chat room service of a host.
func rooms(host string) string { return "rooms." + host }

// onProsody is a Prosody of its own for a scene.
type onProsody struct{ *lab.Prosody }

func (onProsody) Name() string { return "Prosody" }

func (onProsody) LetIn() string { return "External component successfully authenticated" }

// Settle has nothing to wait for: Prosody is one process that does one thing after another.
func (onProsody) Settle(context.Context) error { return nil }

func (s onProsody) Saved(since time.Time) bool {
	return writtenSince(since, filepath.Join(filepath.Dir(s.LogFile()), "data", "*", "rouse", "q*.dat"))
}

func (s onProsody) AddUser(_ context.Context, name, password string) error {
	return s.Prosody.AddUser(name, password)
}

func (s onProsody) DeleteUser(ctx context.Context, name string) error {
	_, err := s.Shell(ctx, fmt.Sprintf("user:delete(%q)", name+"@"+s.Host()))
	return err
}

func (s onProsody) LoadModule(ctx context.Context) error   { return s.Load(ctx, "rouse") }
func (s onProsody) UnloadModule(ctx context.Context) error { return s.Unload(ctx, "rouse") }

func (s onProsody) ChangeOver(ctx context.Context, rouse bool) error {
	if err := s.Configure(func(o *lab.Options) { o.NoModule = !rouse }); err != nil {
		return err
	}
	if _, err := s.Shell(ctx, "config:reload()"); err != nil {
		return err
	}
	if rouse {
		return s.LoadModule(ctx)
	}
	return s.UnloadModule(ctx)
}

// prosody gives the options for what is wished.
func (w wish) prosody() lab.Options {
	o := lab.Options{Host: w.host, Users: w.users, AckDelay: w.ackDelay, Hibernation: w.hibernation, NoArchive: w.noArchive, NoModule: w.noModule, Components: w.components}
	if w.host == "" {
		o.Host = "example.test"
	}
	o.Rooms, o.WebSocket = rooms(o.Host), true
	if len(w.components) > 0 { // may send what they like, as ejabberd's may
		o.GlobalLua = "component_stanza_size_limit = 32 * 1024 * 1024"
	}
	if w.several {
		o.RouseLua = "component_conflict_resolve = \"kick_old\"\n"
	}
	if w.fallback > 0 {
		o.HostLua += fmt.Sprintf("rouse_fallback = %d\n", w.fallback/time.Second)
	}
	if w.tells {
		o.HostLua += "push_notification_with_body = true\npush_notification_with_sender = true\n"
	}
	if w.stray != "" {
		o.HostLua += fmt.Sprintf("VirtualHost %q\nmodules_enabled = { \"rouse\" }\nrouse_component = %q\n", w.stray, "push."+o.Host)
	}
	return o
}

// startProsody starts one in a directory below dir.
func startProsody(ctx context.Context, dir string, o lab.Options) (server, error) {
	o.Dir = filepath.Join(dir, "prosody")
	p, err := lab.StartProsody(ctx, o)
	if err != nil {
		return nil, err
	}
	return onProsody{p}, nil
}

// onEjabberd is a host of an ejabberd, which may have others: starting one is a
// matter of seconds, so scenes that do not stop it share it.
type onEjabberd struct{ *lab.EjabberdHost }

func (onEjabberd) Name() string { return "ejabberd" }

func (s onEjabberd) LetIn() string {
	return "Accepted external component handshake authentication for " + s.Rouse().JID
}

func (s onEjabberd) Saved(since time.Time) bool {
	return writtenSince(since, filepath.Join(s.Spool(), "rouse", s.Host(), "q.*[0-9]"))
}

func (s onEjabberd) LoadModule(ctx context.Context) error   { return s.Load(ctx, "mod_rouse") }
func (s onEjabberd) UnloadModule(ctx context.Context) error { return s.Unload(ctx, "mod_rouse") }

func (s onEjabberd) ChangeOver(ctx context.Context, rouse bool) error {
	if err := s.Configure(func(o *lab.EjabberdOptions) { o.NoModule = !rouse }); err != nil {
		return err
	}
	_, err := s.API(ctx, "reload_config", map[string]string{})
	return err
}

// ejabberd gives the options for what is wished.
func (w wish) ejabberd() lab.EjabberdOptions {
	o := lab.EjabberdOptions{Host: w.host, Users: w.users, AckDelay: w.ackDelay, ResumeTimeout: w.hibernation, NoArchive: w.noArchive, NoModule: w.noModule, Components: w.components}
	if w.host == "" {
		o.Host = "example.test"
	}
	o.Rooms = rooms(o.Host)
	o.Modules = map[string]string{}
	if w.noArchive { // else what a session that ends had in its queue is bounced
		o.Modules["mod_stream_mgmt"] = "resend_on_timeout: if_offline"
	}
	if w.fallback > 0 {
		o.Modules["mod_rouse"] = fmt.Sprintf("fallback: %d s", w.fallback/time.Second)
	}
	if w.tells {
		o.Modules["mod_push"] = "include_body: true\ninclude_sender: true"
	}
	if w.stray != "" {
		o.Further = []lab.EjabberdOptions{{Host: w.stray, Rouse: lab.Component{JID: "push." + o.Host}}}
	}
	return o
}

// startEjabberd starts one in a directory below dir. Where ebin is empty the
// module is compiled for it.
func startEjabberd(ctx context.Context, dir, ebin string, o lab.EjabberdOptions) (server, error) {
	o.Dir, o.Ebin = filepath.Join(dir, "ejabberd"), ebin
	e, err := lab.StartEjabberd(ctx, o)
	if err != nil {
		return nil, err
	}
	return onEjabberd{e.On(o.Host)}, nil
}

// writtenSince tells whether one of the files was written since then. The pattern
// must not fit a file that is still to be renamed.
func writtenSince(since time.Time, pattern string) bool {
	files, _ := filepath.Glob(pattern)
	return slices.ContainsFunc(files, func(f string) bool {
		info, err := os.Stat(f)
		return err == nil && info.ModTime().After(since)
	})
}
