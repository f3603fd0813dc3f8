package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"rouse/config"
	"rouse/directory"
	"rouse/directory/follow"
	"rouse/directory/snapshot"
)

func directoryCommand() command {
	return command{
		name: "directory", args: "[status|preview] [-c FILE] [--within 168h] [--json]", about: "say how a directory is followed, and of what people would be warned",
		more: "rouse directory [status] [-c FILE] [--json]\n" +
			"  Tells what is known of the directory, since when, and what waits to be told.\n" +
			"rouse directory preview [-c FILE] [--within 168h] [--json]\n" +
			"  Tells what would be warned of within that time if nothing changed, and whom. Nothing is sent.\n\n" +
			"Both look at what rouse saw last (directory.file), and may run beside a rouse that serves.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &directoryCall{load: configFlags(fs), flags: fs}
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			fs.DurationVar(&c.within, "within", 7*24*time.Hour, "look so far ahead")
			return c.run
		},
	}
}

type directoryCall struct {
	load   func(stdio) (*config.Config, string, error)
	flags  *flag.FlagSet
	json   bool
	within time.Duration
}

func (c *directoryCall) run(io stdio, args []string) error {
	verb := "status"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	args, err := flagsAnywhere(c.flags, "directory", "directory "+verb, args)
	switch {
	case err != nil:
		return err
	case verb != "status" && verb != "preview":
		return usage{text: fmt.Sprintf("directory: there is no %q", verb), hint: "rouse directory status, or preview"}
	case len(args) > 0:
		return usage{text: fmt.Sprintf("directory: unexpected argument %q", args[0]), hint: "rouse help directory"}
	case c.within <= 0 || c.within > 366*24*time.Hour:
		return usage{text: "directory: --within is out of range", hint: "up to 8784h"}
	}
	cfg, _, err := c.load(io)
	if err != nil {
		return err
	}
	if cfg.Directory == nil {
		return hint{"no directory is followed", "the table [directory] of the configuration: docs/directory.md"}
	}
	ctx, stop := stopSignals(context.Background(), io.err)
	defer stop()
	w := &directoryWatch{cfg: cfg.Directory}
	if w.db, err = snapshot.Open(ctx, w.cfg.File); err != nil {
		return fmt.Errorf("directory.file: %w", err)
	}
	f, err := followConfig(w.cfg)
	if err == nil {
		f.Now = io.now
		w.follower, err = follow.New(ctx, w.db, f)
	}
	if err == nil && verb == "status" {
		err = c.status(ctx, io, w)
	} else if err == nil {
		err = c.preview(io, w)
	}
	return errors.Join(err, w.db.Close())
}

// directoryStatus is what status tells of a directory. Its names are stable.
type directoryStatus struct {
	Servers  []string  `json:"servers"`
	Suffix   string    `json:"suffix"`
	Users    int       `json:"users"`
	Entries  int       `json:"entries"`
	Since    time.Time `json:"since,omitzero"` // what was before that was no news
	Complete time.Time `json:"complete,omitzero"`
	Waiting  int       `json:"waiting"`
	Guard    string    `json:"guard,omitempty"`
	Nowhere  []string  `json:"nowhere,omitempty"` // users who cannot be told, with why
}

func (c *directoryCall) status(ctx context.Context, io stdio, w *directoryWatch) error {
	s := w.follower.Status()
	waiting, err := w.db.Events(ctx, 10_000)
	if err != nil {
		return err
	}
	r := directoryStatus{Servers: w.cfg.Servers, Suffix: w.cfg.Suffix, Users: s.Users, Entries: s.Entries, Since: s.Baseline, Complete: s.Complete, Waiting: len(waiting), Guard: s.Guard}
	for _, e := range w.follower.Users() {
		if p := w.person(e.ID); p.Address == "" {
			r.Nowhere = append(r.Nowhere, p.Name+": "+p.Why)
		}
	}
	if c.json {
		return json.NewEncoder(io.out).Encode(r)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(io.out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("directory", "%s below %s", r.Servers[0], r.Suffix)
	if r.Since.IsZero() {
		line("known", "nothing yet: rouse serve has not read it")
		return nil
	}
	line("known", "%d users, %d entries in all", r.Users, r.Entries)
	line("since", "%s: what was before that was no news", when(r.Since))
	line("read", "in full %s (%s ago)", when(r.Complete), age(io.now().Sub(r.Complete)))
	line("waiting", "%d events that nobody was told of yet", r.Waiting)
	if r.Guard != "" {
		line("guard", "%s", r.Guard)
	}
	for i, text := range r.Nowhere {
		if i == 10 {
			line("nowhere", "… and %d more", len(r.Nowhere)-i)
			break
		}
		line("nowhere", "%s", text)
	}
	return nil
}

// warning is a line of preview for programs. Its names are stable.
type warning struct {
	At       time.Time          `json:"at"`
	Kind     string             `json:"kind"`
	Severity directory.Severity `json:"severity"`
	Name     string             `json:"name"`
	To       []string           `json:"to,omitempty"`
	Text     string             `json:"text"`
}

func (c *directoryCall) preview(io stdio, w *directoryWatch) error {
	list := w.follower.Preview(c.within)
	for _, e := range list {
		one := warning{At: e.At, Kind: e.Kind, Severity: e.Severity, Name: e.Name, Text: sentence(e.Text)}
		for _, id := range e.People {
			if p := w.person(id); p.Address != "" {
				one.To = append(one.To, p.Address)
			}
		}
		if c.json {
			if err := json.NewEncoder(io.out).Encode(one); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(io.out, "%s  %-7s  %s\n", when(one.At), one.Severity, one.Text)
	}
	if len(list) == 0 && !c.json {
		fmt.Fprintf(io.out, "nothing runs out, or is to be warned of, within %v\n", c.within)
	}
	return nil
}
