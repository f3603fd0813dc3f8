package config

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// Notices is how people are told of what happens, by the directory and by others.
type Notices struct {
	File       string   `toml:"file,path"` // empty in the file: beside the store
	Except     []string `toml:"except"`
	Socket     string   `toml:"socket,path"` // for rouse emit; empty: there is none
	TokenFile  string   `toml:"token_file,path"`
	Token      Secret   `toml:"-"` // what TokenFile holds; none: nothing is taken over HTTP
	ChatAtOnce int      `toml:"chat_at_once" default:"16"`
}

// Room is one that hears notices (XEP-0045).
type Room struct {
	JID     string   `toml:"jid"`
	Nick    string   `toml:"nick" default:"rouse"`
	Filters []string `toml:"filters"` // none: what administrators are told
}

// Exec is a program that runs on notices.
type Exec struct {
	Name    string        `toml:"name"`
	Filters []string      `toml:"filters"` // at least one
	Command []string      `toml:"command"`
	Env     []string      `toml:"env"` // NAME=VALUE
	Input   string        `toml:"input" enum:"json,text,mail,none" default:"json"`
	Timeout time.Duration `toml:"timeout" default:"30s"`
	AtOnce  int           `toml:"at_once" default:"4"`
	User    string        `toml:"user"`
}

// Notifies reports whether there is anything of which anybody is told.
func (c *Config) Notifies() bool {
	return c.Directory != nil || len(c.Rooms) > 0 || len(c.Execs) > 0 || c.Notices.Socket != "" || c.Notices.TokenFile != ""
}

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	plain   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
)

// besideStore is where a file of rouse's own is if nobody says where: beside the store,
// or where that is a Redis, beside the key.
func (v *validator) besideStore(name string) string {
	if p := v.c.Store.Path; p != "" {
		return filepath.Join(filepath.Dir(p), name)
	}
	return filepath.Join(filepath.Dir(v.c.Store.KeyFile), name)
}

func (v *validator) notices() {
	n := &v.c.Notices
	if n.File == "" {
		n.File = v.besideStore("notices.db")
	}
	v.patterns("notices.except", n.Except)
	if n.ChatAtOnce < 1 || n.ChatAtOnce > 256 {
		v.fail("notices.chat_at_once", fmt.Sprintf("%d is out of range", n.ChatAtOnce), "from 1 to 256")
	}
	if n.TokenFile != "" && v.c.Web.Listen == "" {
		v.fail("notices.token_file", "nothing listens for notices", `web.listen = "127.0.0.1:8080"`)
	}
	for i, a := range v.c.Apps {
		if a.Alerts && a.Provider != APNs && a.Profile != "plain" && a.Profile != "mongoose" {
			v.fail(join(element("app", i), "alerts"), fmt.Sprintf("what apps of profile %q get is not shown as it is", a.Profile), `profile = "plain" shows text; people are told in chat without this key`)
		}
	}
	seen := make(map[string]bool)
	for i := range v.c.Rooms {
		r, key := &v.c.Rooms[i], element("room", i)
		j, err := jid.Parse(r.JID)
		switch {
		case !v.required(join(key, "jid"), r.JID, `like jid = "ops@conference.example.org"`):
		case err != nil || j.Localpart() == "" || j.Resourcepart() != "":
			v.fail(join(key, "jid"), fmt.Sprintf("%q is not the address of a room", r.JID), `like "ops@conference.example.org"`)
		case seen[j.String()]:
			v.fail(join(key, "jid"), "there is a table for that room already", "put its filters together: they are ORed")
		default:
			r.JID = j.String()
			seen[r.JID] = true
		}
		if strings.TrimSpace(r.Nick) == "" {
			v.fail(join(key, "nick"), "is empty", `like nick = "rouse"`)
		}
		if v.c.Component == nil {
			v.fail(key, "there is no link by which a room could be told", "add the table [component]")
		}
	}
	for i := range v.c.Execs {
		v.exec(element("exec", i), &v.c.Execs[i], seen)
	}
}

func (v *validator) exec(key string, e *Exec, seen map[string]bool) {
	switch {
	case !v.required(join(key, "name"), e.Name, `like name = "home"`):
	case !plain.MatchString(e.Name):
		v.fail(join(key, "name"), fmt.Sprintf("%q is not a name", e.Name), "up to 64 of a-z, 0-9 and -")
	case seen[e.Name]:
		v.fail(join(key, "name"), fmt.Sprintf("there are two named %q", e.Name), "")
	}
	seen[e.Name] = true
	if len(e.Filters) == 0 && !v.bad[join(key, "filters")] {
		v.fail(join(key, "filters"), "is missing", `on what it runs: filters = ["kind user.created"]`)
	}
	switch {
	case len(e.Command) == 0:
		if !v.bad[join(key, "command")] {
			v.fail(join(key, "command"), "is missing", `the program and its arguments: command = ["/usr/bin/logger", "{text}"]`)
		}
	case !strings.HasPrefix(e.Command[0], "/"):
		v.fail(join(key, "command"), fmt.Sprintf("%q is no path from the root", e.Command[0]), `like "/usr/bin/logger": there is no shell, and no PATH to look in`)
	case strings.ContainsAny(e.Command[0], "{}"):
		v.fail(join(key, "command"), "the program itself is no matter of what a notice says", "braces stand in its arguments")
	}
	for i, s := range e.Env {
		if !envName.MatchString(s) {
			v.fail(v.item(join(key, "env"), i), fmt.Sprintf("%q is not NAME=VALUE", s), "")
		}
	}
	if e.Timeout < time.Second || e.Timeout > time.Hour {
		v.fail(join(key, "timeout"), fmt.Sprintf("%v is out of range", e.Timeout), `from "1s" to "1h"`)
	}
	if e.AtOnce < 1 || e.AtOnce > 64 {
		v.fail(join(key, "at_once"), fmt.Sprintf("%d is out of range", e.AtOnce), "from 1 to 64")
	}
}

func (v *validator) patterns(key string, list []string) {
	for i, pattern := range list {
		if _, err := path.Match(pattern, ""); err != nil {
			v.fail(v.item(key, i), fmt.Sprintf("%q is no pattern", pattern), `like "group.*"`)
		}
	}
}

func (f *fileChecker) notices(c *Config) {
	if c.Notices.TokenFile != "" {
		c.Notices.Token = f.secret("notices.token_file", c.Notices.TokenFile)
	}
	for i, e := range c.Execs {
		if len(e.Command) > 0 && strings.HasPrefix(e.Command[0], "/") && !runs(e.Command[0]) {
			f.fail(join(element("exec", i), "command"), e.Command[0]+": there is no such program, or it may not be run", "")
		}
	}
}

// runs reports whether a file is there that somebody may run.
func runs(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.Mode().IsRegular() && i.Mode().Perm()&0o111 != 0
}
