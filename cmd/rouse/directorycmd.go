package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rouse/config"
	"rouse/directory"
	"rouse/directory/follow"
	"rouse/directory/snapshot"
	"rouse/notice"
	"rouse/notice/outbox"
)

func directoryCommand() command {
	return command{
		name: "directory", args: "[status|preview|diff|accept] [-c FILE] [--within 168h] [--json]", about: "say how a directory is followed, and of what people would be warned",
		more: "rouse directory [status] [-c FILE] [--json]\n" +
			"  Tells what is known of the directory, since when, and what waits to be told.\n" +
			"rouse directory preview [-c FILE] [--within 168h] [--json]\n" +
			"  Tells what would be warned of within that time if nothing changed, and who would be told where.\n" +
			"rouse directory diff [-c FILE] [--json]\n" +
			"  Reads the directory in full, and tells what differs from what rouse saw last, and who would be told.\n" +
			"rouse directory accept [-c FILE]\n" +
			"  Says that what a refresh did not show any more is gone, where that was more than is believed.\n\n" +
			"Nothing is sent. All look at what rouse saw last (directory.file), and may run beside a rouse that serves.",
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
	case !slices.Contains([]string{"status", "preview", "diff", "accept"}, verb):
		return usage{text: fmt.Sprintf("directory: there is no %q", verb), hint: "rouse directory status, preview, diff, or accept"}
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
	w := &directoryWatch{cfg: cfg.Directory, now: io.now}
	if w.db, err = snapshot.Open(ctx, w.cfg.File); err != nil {
		return fmt.Errorf("directory.file: %w", err)
	}
	err = c.look(ctx, io, cfg, w, verb)
	return errors.Join(err, w.db.Close())
}

// look does what is asked for with a snapshot.
func (c *directoryCall) look(ctx context.Context, io stdio, cfg *config.Config, w *directoryWatch, verb string) error {
	f, err := followConfig(w.cfg)
	if err != nil {
		return err
	}
	f.Now, f.Logger = io.now, slog.New(slog.DiscardHandler)
	if w.follower, err = follow.New(ctx, w.db, f); err != nil {
		return err
	}
	switch verb {
	case "status":
		return c.status(ctx, io, w)
	case "accept":
		return c.accept(ctx, io, w)
	}
	h := &herald{cfg: cfg, log: f.Logger, watch: w, now: io.now}
	if h.outbox, err = outbox.Open(ctx, cfg.Notices.File); err != nil {
		return fmt.Errorf("notices.file: %w", err)
	}
	if verb == "preview" {
		err = c.preview(ctx, io, h)
	} else {
		err = c.diff(ctx, io, h, f)
	}
	return errors.Join(err, h.outbox.Close())
}

// accept has a refresh believed that was not.
func (c *directoryCall) accept(ctx context.Context, io stdio, w *directoryWatch) error {
	s := w.follower.Status()
	if s.Guard == "" {
		return hint{"the last refresh was believed: there is nothing to accept", "rouse directory status"}
	}
	if err := w.db.Accept(ctx); err != nil {
		return err
	}
	fmt.Fprintln(io.out, "what is gone is told as gone: by a rouse that serves within seconds, else when it does")
	return nil
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

// foreseen is a line of preview or diff for programs. Its names are stable.
type foreseen struct {
	At       time.Time          `json:"at"`
	Kind     string             `json:"kind"`
	Severity directory.Severity `json:"severity"`
	Name     string             `json:"name"`
	To       []string           `json:"to,omitempty"` // context:address
	Text     string             `json:"text"`
}

func (c *directoryCall) preview(ctx context.Context, io stdio, h *herald) error {
	list := h.watch.follower.Preview(c.within)
	if err := c.foresee(ctx, io, h, list); err != nil {
		return err
	}
	if len(list) == 0 && !c.json {
		fmt.Fprintf(io.out, "nothing runs out, or is to be warned of, within %v\n", c.within)
	}
	return nil
}

// foresee prints events, and who would be told.
func (c *directoryCall) foresee(ctx context.Context, io stdio, h *herald, list []directory.Event) error {
	who, err := h.listeners(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		n := h.watch.notice(e)
		one := foreseen{At: e.At, Kind: e.Kind, Severity: e.Severity, Name: e.Name, Text: n.Text}
		for _, d := range notice.Plan(&n, who, e.At) {
			if d.Fate == "" {
				one.To = append(one.To, d.Context+":"+d.Address)
			}
		}
		if c.json {
			if err := json.NewEncoder(io.out).Encode(one); err != nil {
				return err
			}
			continue
		}
		to := "nobody"
		if len(one.To) > 0 {
			to = strings.Join(one.To, ", ")
		}
		fmt.Fprintf(io.out, "%s  %-7s  %s\n%31s-> %s\n", when(one.At), one.Severity, one.Text, "", to)
	}
	return nil
}

// diffTime is how long a directory may take to be read.
const diffTime = 10 * time.Minute

// diff reads the directory into a copy of the snapshot, and tells what that gives.
func (c *directoryCall) diff(ctx context.Context, io stdio, h *herald, f follow.Config) (err error) {
	dir, err := os.MkdirTemp("", "rouse-diff")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "directory.db")
	if err := h.watch.db.Copy(ctx, file); err != nil {
		return err
	}
	db, err := snapshot.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	events, err := seen(ctx, db, f)
	if err != nil {
		return err
	}
	w := *h.watch
	if w.follower, err = follow.New(ctx, db, f); err != nil {
		return err
	}
	of := *h
	of.watch = &w
	if err := c.foresee(ctx, io, &of, events); err != nil {
		return err
	}
	switch guard := w.follower.Status().Guard; {
	case guard != "":
		return hint{guard, "if they are gone: rouse directory accept"}
	case len(events) == 0 && !c.json:
		fmt.Fprintln(io.out, "nothing differs from what rouse saw last")
	}
	return nil
}

// seen follows a directory until it was read in full, and gives what happened.
func seen(ctx context.Context, db *snapshot.DB, f follow.Config) ([]directory.Event, error) {
	before, err := db.Events(ctx, 1)
	if err != nil {
		return nil, err
	}
	last := int64(0)
	for len(before) > 0 { // what waits is no difference
		last = before[0].N
		if err := db.Done(ctx, last); err != nil {
			return nil, err
		}
		if before, err = db.Events(ctx, 1); err != nil {
			return nil, err
		}
	}
	state, err := db.State(ctx)
	if err != nil {
		return nil, err
	}
	state.Cookie = ""
	if _, err := db.Commit(ctx, snapshot.Step{State: state}, f.Now()); err != nil {
		return nil, err
	}
	f.LockServers = nil
	w, err := follow.New(ctx, db, f)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithTimeout(ctx, diffTime)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(reading) }()
	var failed error
	for failed == nil && !w.Status().Complete.After(state.Complete) {
		select {
		case <-reading.Done():
			failed = reading.Err()
		case <-time.After(20 * time.Millisecond):
			if why := w.Status().Failed; why != "" {
				failed = errors.New(why)
			}
		}
	}
	stop()
	if err := errors.Join(failed, <-ended); err != nil {
		return nil, fmt.Errorf("the directory cannot be read: %w", err)
	}
	list, err := db.Events(ctx, 1_000_000)
	var out []directory.Event
	for _, e := range list {
		out = append(out, e.Event)
	}
	return out, err
}
