package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"rouse/config"
	"rouse/directory"
	"rouse/directory/follow"
	"rouse/directory/snapshot"
	"rouse/notice"
	"rouse/push/h2"
)

// directoryWatch follows a directory, and makes notices of what happens there.
type directoryWatch struct {
	cfg      *config.Directory
	db       *snapshot.DB
	follower *follow.Follower
	now      func() time.Time
}

// watchDirectory makes one; nil: none is to be followed. fresh is called when there are
// events.
func watchDirectory(ctx context.Context, a *app, cfg *config.Config, now func() time.Time, fresh func()) (_ *directoryWatch, err error) {
	if cfg.Directory == nil {
		return nil, nil
	}
	w := &directoryWatch{cfg: cfg.Directory, now: now}
	if w.cfg.JID != "" {
		if err := notice.Template(w.cfg.JID).Check(); err != nil {
			return nil, fmt.Errorf("directory.jid: %w", err)
		}
	}
	if w.db, err = snapshot.Open(ctx, w.cfg.File); err != nil {
		return nil, fmt.Errorf("directory.file: %w", err)
	}
	f, err := followConfig(w.cfg)
	if err == nil {
		f.Now, f.Logger, f.Fresh = now, a.log, fresh
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
	if d.Keytab != "" {
		bind = follow.Kerberos(d.Principal, d.Keytab, d.Krb5Conf)
	}
	var groups []follow.GroupDays
	for _, text := range d.WarnGroups {
		group, days, err := config.WarnGroup(text)
		if err != nil {
			return follow.Config{}, fmt.Errorf("directory.warn_groups: %w", err)
		}
		groups = append(groups, follow.GroupDays{Group: group, Days: days})
	}
	return follow.Config{
		Servers: d.Servers, StartTLS: d.StartTLS, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Bind: bind, Layout: layout,
		Options: directory.Options{Failures: d.LoginFailures}, Reconcile: d.Reconcile, LockServers: d.LockServers, CA: d.CA, Degraded: d.Degraded, GroupDays: groups,
		Expiry: directory.Expiry{Days: d.Warn, MaxAge: d.PasswordMaxAge},
	}, nil
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
func (w *directoryWatch) person(id string) notice.Person {
	e := w.follower.Person(id)
	if e == nil {
		return notice.Person{Name: id, Why: "is not in the directory any more"}
	}
	p := notice.Person{Name: e.Name()}
	if e.Type != directory.User {
		p.Why = "is no user"
		return p
	}
	p.Address, p.Why = w.address(e.Get)
	return p
}

// address makes the bare JID of somebody, or says why there is none.
func (w *directoryWatch) address(get func(attr string) string) (address, why string) {
	if w.cfg.JID == "" {
		return "", "directory.jid says not how people are called"
	}
	address, err := notice.Template(w.cfg.JID).Address(get)
	if err != nil {
		return "", err.Error()
	}
	return address, ""
}

// notice makes one of an event.
func (w *directoryWatch) notice(e directory.Event) notice.Notice {
	n := notice.Notice{ID: e.Key, Source: "directory", Kind: e.Kind, Severity: notice.Severity(e.Severity), At: e.At, Subject: e.Name,
		Text: sentence(e.Text), You: sentence(e.You), Fields: e.Fields}
	for _, id := range e.People {
		p := w.person(id)
		if p.Address == "" && p.Name == id { // who is gone is still called something
			p.Name = e.Name
		}
		n.People = append(n.People, p)
	}
	if len(e.People) == 1 { // programs get to know them
		if who := w.follower.Person(e.People[0]); who != nil && who.Type.Person() {
			fields := directory.Fields(who)
			maps.Copy(fields, n.Fields)
			n.Fields = fields
		}
	}
	for _, id := range w.follower.Managers(e.Of) {
		n.Managers = append(n.Managers, w.person(id))
	}
	return n
}

// deleted gives the account of somebody whose entry is gone for good; empty: nobody is.
func (w *directoryWatch) deleted(e directory.Event) string {
	if e.Kind != directory.UserDeleted {
		return ""
	}
	address, _ := w.address(func(attr string) string { // what events tell of users
		return e.Fields[map[string]string{"uid": "user", "cn": "name", "mail": "mail", "homedirectory": "home", "loginshell": "shell", "uidnumber": "uid", "gidnumber": "gid"}[attr]]
	})
	return address
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

// close gives the snapshot back.
func (w *directoryWatch) close() error {
	if w == nil {
		return nil
	}
	return w.db.Close()
}
