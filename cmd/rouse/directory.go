package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"rouse/config"
	"rouse/directory"
	"rouse/directory/follow"
	"rouse/directory/snapshot"
	"rouse/notice"
	"rouse/notice/chat"
	"rouse/notice/dispatch"
	"rouse/push/h2"
)

// directoryWatch follows a directory, and has people told of what happens there.
type directoryWatch struct {
	cfg      *config.Directory
	db       *snapshot.DB
	follower *follow.Follower
	dispatch *dispatch.Dispatcher
}

// watchDirectory makes one; nil: none is to be followed.
func watchDirectory(ctx context.Context, a *app, cfg *config.Config, now func() time.Time) (_ *directoryWatch, err error) {
	if cfg.Directory == nil {
		return nil, nil
	}
	w := &directoryWatch{cfg: cfg.Directory}
	if err := notice.Template(w.cfg.JID).Check(); err != nil {
		return nil, fmt.Errorf("directory.jid: %w", err)
	}
	if w.db, err = snapshot.Open(ctx, w.cfg.File); err != nil {
		return nil, fmt.Errorf("directory.file: %w", err)
	}
	to := &chat.Sender{From: cfg.Component.JID, Link: &a.link}
	w.dispatch = dispatch.New(dispatch.Config{
		Outbox: w, Send: to.Send, Ready: a.linked, Admins: func() []string { return w.admins(cfg.Component.Admins) },
		Except: w.cfg.Except, Now: now, Logger: a.log,
	})
	f, err := followConfig(w.cfg)
	if err == nil {
		f.Now, f.Logger, f.Fresh = now, a.log, w.dispatch.Poke
		w.follower, err = follow.New(ctx, w.db, f)
	}
	if err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	return w, nil
}

// followConfig is what a follower is told of the configuration.
func followConfig(d *config.Directory) (follow.Config, error) {
	layout := directory.Layout{Suffix: d.Suffix}
	if d.Layout == config.FreeIPA {
		layout = directory.FreeIPA(d.Suffix)
	}
	roots, err := h2.Roots(d.CAFile)
	if err != nil {
		return follow.Config{}, fmt.Errorf("directory.ca_file: %w", err)
	}
	bind := follow.Simple(d.BindDN, d.Password.Reveal())
	if d.External {
		bind = follow.External()
	}
	return follow.Config{
		Servers: d.Servers, StartTLS: d.StartTLS, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Bind: bind, Layout: layout,
		Options: directory.Options{Failures: d.LoginFailures}, Reconcile: d.Reconcile,
		Expiry: directory.Expiry{Days: d.Warn, MaxAge: d.PasswordMaxAge},
	}, nil
}

// linked reports whether this process has a link by which somebody can be told.
func (a *app) linked() bool {
	c := a.link.now.Load()
	return c != nil && c.Connected()
}

// admins are those of the configuration, and the members of their group.
func (w *directoryWatch) admins(list []string) []string {
	list = slices.Clone(list)
	if w.cfg.AdminGroup == "" {
		return list
	}
	for _, id := range w.follower.Members(w.cfg.AdminGroup) {
		if p := w.person(id); p.Address != "" && !slices.Contains(list, p.Address) {
			list = append(list, p.Address)
		}
	}
	return list
}

// person is whom an ID stands for, and where to tell them.
func (w *directoryWatch) person(id string) dispatch.Person {
	e := w.follower.Person(id)
	if e == nil {
		return dispatch.Person{Name: id, Why: "is not in the directory any more"}
	}
	p := dispatch.Person{Name: e.Name()}
	if e.Type != directory.User {
		p.Why = "is no user"
		return p
	}
	var err error
	if p.Address, err = notice.Template(w.cfg.JID).Address(e.Get); err != nil {
		p.Why = err.Error()
	}
	return p
}

// Waiting is part of dispatch.Outbox.
func (w *directoryWatch) Waiting(ctx context.Context, most int) ([]dispatch.Event, error) {
	list, err := w.db.Events(ctx, most)
	var out []dispatch.Event
	for _, e := range list {
		one := dispatch.Event{N: e.N, You: sentence(e.You), Notice: notice.Notice{ID: e.Key, Kind: e.Kind, Severity: string(e.Severity), At: e.At, Text: sentence(e.Text)}}
		for _, id := range e.People {
			one.People = append(one.People, w.person(id))
		}
		out = append(out, one)
	}
	return out, err
}

// sentence begins and ends as one.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	return s + "."
}

// Done is part of dispatch.Outbox.
func (w *directoryWatch) Done(ctx context.Context, n int64) error { return w.db.Done(ctx, n) }

// Delivered is part of dispatch.Outbox.
func (w *directoryWatch) Delivered(ctx context.Context, id string) ([]string, error) {
	return w.db.Delivered(ctx, id)
}

// Deliver is part of dispatch.Outbox.
func (w *directoryWatch) Deliver(ctx context.Context, id, address string, at time.Time) error {
	return w.db.Deliver(ctx, id, address, at)
}

// close gives the snapshot back.
func (w *directoryWatch) close() error {
	if w == nil {
		return nil
	}
	return w.db.Close()
}
