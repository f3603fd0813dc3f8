package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"rouse/config"
	"rouse/gateway"
	"rouse/session"
)

// deviceReport is what `rouse devices` tells of one device. No token is in it.
type deviceReport struct {
	Node       string    `json:"node"`
	Account    string    `json:"account,omitempty"` // where it is known
	Domain     string    `json:"domain,omitempty"`  // whose servers may publish
	Service    string    `json:"service,omitempty"` // of a third party, where the device is not registered here
	App        string    `json:"app,omitempty"`
	Provider   string    `json:"provider,omitempty"`
	Family     string    `json:"family,omitempty"`
	Token      string    `json:"token,omitempty"` // its length and what it can be recognised by
	Calls      bool      `json:"calls,omitempty"` // it has a second token, for calls
	Room       bool      `json:"room,omitempty"`  // it is for what a room publishes
	Registered time.Time `json:"registered,omitzero"`
	Refreshed  time.Time `json:"refreshed,omitzero"`
	Dead       string    `json:"dead,omitempty"`
	Died       time.Time `json:"died,omitzero"`

	Enabled time.Time      `json:"enabled,omitzero"` // its server told of it
	Session *sessionReport `json:"session,omitempty"`
	Owed    []owedReport   `json:"owed,omitempty"`
	Awaited *awaitedReport `json:"expected,omitempty"`
	Last    *lastReport    `json:"last,omitempty"`

	// Note is what is wrong with it besides.
	Note string `json:"note,omitempty"`
}

type sessionReport struct {
	State    string `json:"state"`
	Resource string `json:"resource,omitempty"`
}

type owedReport struct {
	Class   string    `json:"class"`
	Count   int       `json:"count"`
	Due     time.Time `json:"due"`
	Attempt int       `json:"attempt,omitempty"`
	Sending bool      `json:"sending,omitempty"`
}

// awaitedReport is told of a device that was woken and has not come back.
type awaitedReport struct {
	Since   time.Time `json:"since"`
	Last    time.Time `json:"last"`            // when it was last woken
	Again   int       `json:"again,omitempty"` // how often it was woken for what it had been woken for
	Missing bool      `json:"missing,omitempty"`
}

type lastReport struct {
	At      time.Time `json:"at"`
	Verdict string    `json:"verdict"`
	Class   string    `json:"class"`
	Why     string    `json:"why"`
}

// reportDevice is what can be told of a device.
func reportDevice(cfg *config.Config, d gateway.Device, now time.Time) deviceReport {
	r := deviceReport{
		Node: d.Node, Account: d.Account, Domain: d.Domain, App: d.App, Calls: d.Calls != "", Room: d.Channel != "",
		Registered: d.Since, Refreshed: d.Updated, Dead: d.Dead, Died: d.Died, Token: recognisable(d.Token),
	}
	if d.Ours() {
		if r.Family = string(d.Family); d.Family == session.P2 {
			r.Family = "p2"
		}
		for _, a := range cfg.Apps {
			if a.Name == d.App {
				r.Provider = a.Provider
			}
		}
		if r.Provider == "" {
			r.Note = fmt.Sprintf("the configuration has no [[app]] %q: its wakes wait", d.App)
		}
	}
	if ep := d.Endpoint; ep != nil {
		r.Enabled = ep.Enabled
		switch {
		case cfg.Component != nil && d.Service != cfg.Component.JID:
			r.Service, r.Domain = d.Service, ""
		case !d.Ours():
			r.Note = "enabled, and no registration has this node"
		}
		if r.Dead == "" {
			r.Dead = ep.Dead
		}
		if x := ep.Expected; !x.Since.IsZero() {
			r.Awaited = &awaitedReport{x.Since, x.At, x.Again, x.Missing}
		}
	}
	if s := d.Session; s != nil {
		r.Session = &sessionReport{s.State.String(), s.Resource}
	}
	for c := session.NumClasses; c > session.Nothing; {
		c--
		if w, ok := d.Owed[c]; ok {
			r.Owed = append(r.Owed, owedReport{c.String(), w.Count, w.Due, w.Attempt, w.Claimed(now)})
		}
	}
	if l := d.Last; l != nil {
		r.Last = &lastReport{l.At, string(l.Verdict), l.Class.String(), l.Why}
	}
	return r
}

// recognisable says of a token what two of them can be told apart by.
func recognisable(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return fmt.Sprintf("%d characters, SHA-256 %x…", len(token), sum[:4])
}

// state is a word for a list.
func (r *deviceReport) state() string {
	switch {
	case r.Dead != "":
		return "dead"
	case r.Note != "":
		return "lost"
	case r.Awaited != nil && r.Awaited.Missing:
		return "missing"
	case r.Session != nil:
		return r.Session.State
	}
	return "live"
}

// whose is the account, or as much as is known of it.
func (r *deviceReport) whose() string {
	switch {
	case r.Account != "":
		return r.Account
	case r.Domain != "":
		return "…@" + r.Domain
	}
	return "-"
}

const deviceColumns = "%-32s  %-16s  %-9s  %-10s  %-19s  %s\n"

func writeDeviceHead(w io.Writer) {
	fmt.Fprintf(w, deviceColumns, "node", "app", "family", "state", "refreshed", "account")
}

// line is one of a list.
func (r *deviceReport) line(w io.Writer) {
	app := r.App
	if r.Service != "" {
		app = r.Service
	}
	fmt.Fprintf(w, deviceColumns, r.Node, dash(app), dash(r.Family), r.state(), dash(when(r.Refreshed)), r.whose())
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// write tells all of it to a person.
func (r *deviceReport) write(w io.Writer, now time.Time) {
	line := func(name, value string, more ...string) {
		if value != "" {
			fmt.Fprintf(w, "%-11s %s\n", name, strings.Join(append([]string{value}, more...), ""))
		}
	}
	ago := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return when(t) + " (" + age(now.Sub(t)) + " ago)"
	}
	line("node", r.Node)
	line("account", r.whose())
	switch {
	case r.Service != "":
		line("service", r.Service, ", a third party's: the account's server publishes to it")
	case r.App != "":
		line("app", r.App, " (", dash(r.Provider), ")")
		line("family", r.Family, map[bool]string{true: ", for a room"}[r.Room])
		line("token", r.Token, map[bool]string{true: "; a second one for calls"}[r.Calls])
	}
	line("publishes", r.Domain)
	line("registered", ago(r.Registered))
	line("refreshed", ago(r.Refreshed))
	line("enabled", ago(r.Enabled))
	switch {
	case r.Dead != "" && !r.Died.IsZero():
		line("dead", "since ", when(r.Died), ": ", r.Dead)
	case r.Dead != "":
		line("dead", r.Dead)
	}
	line("note", r.Note)
	switch {
	case r.Session != nil:
		line("session", r.Session.State, map[bool]string{true: ", resource "}[r.Session.Resource != ""], r.Session.Resource)
	case !r.Enabled.IsZero():
		line("session", "none")
	}
	if x := r.Awaited; x != nil {
		text := "since it was woken " + ago(x.Since)
		switch {
		case x.Missing:
			text += "; missing: it is not woken again, but for what is new"
		case x.Again > 0:
			text += fmt.Sprintf("; woken again %d times, last %s", x.Again, ago(x.Last))
		}
		line("expected", text)
	}
	if len(r.Owed) == 0 {
		line("owed", "nothing")
	}
	for _, o := range r.Owed {
		text := fmt.Sprintf("%s, for %d, due %s", o.Class, o.Count, when(o.Due))
		if o.Sending {
			text += ", being sent"
		}
		if o.Attempt > 0 {
			text += fmt.Sprintf(", tried %d times", o.Attempt)
		}
		line("owed", text)
	}
	if r.Last == nil {
		line("last wake", "none on record")
		return
	}
	class := ""
	if r.Last.Class != session.Nothing.String() {
		class = ", " + r.Last.Class
	}
	line("last wake", ago(r.Last.At), class, ": ", r.Last.Verdict, ", ", r.Last.Why)
}
