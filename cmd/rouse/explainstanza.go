package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rouse/business/timeline"
	"rouse/config"
	"rouse/session"
)

// fated is a line of explain --stanza for programs: what a stanza came to at one
// device. Its names are stable.
type fated struct {
	Stanza  string     `json:"stanza"`
	Device  string     `json:"device"`
	Node    string     `json:"node,omitempty"`
	App     string     `json:"app,omitempty"`
	Service string     `json:"service,omitempty"`
	Asked   bool       `json:"asked"` // something was decided about it
	Verdict string     `json:"verdict,omitempty"`
	At      time.Time  `json:"at,omitzero"`
	Rule    string     `json:"rule,omitempty"`
	Class   string     `json:"class,omitempty"`
	Why     string     `json:"why"`
	Wake    *fatedWake `json:"wake,omitempty"` // that stands for it
	Next    *fatedWake `json:"next,omitempty"` // there is none: the next one of the device
}

type fatedWake struct {
	At      time.Time `json:"at"`
	Became  string    `json:"became,omitempty"` // the last verdict on it
	Because string    `json:"because,omitempty"`
	After   string    `json:"after,omitempty"`
}

// stanza tells what one stanza came to, for each device; false: nothing on record is about it.
func (t *narrator) stanza(service, id string, r recordReport) (found bool, err error) {
	var devices []session.Address
	for i := range r.Devices {
		devices = append(devices, addressOf(service, &r.Devices[i]))
	}
	about, fates := timeline.Stanza(timeline.Of(r.Reasons), id, devices)
	if len(about) == 0 {
		return false, nil
	}
	if t.json {
		return true, t.fatesJSON(id, r.Devices, fates)
	}
	if err := t.text.Write(about); err != nil {
		return true, err
	}
	fmt.Fprintln(t.out, "so, for each device:")
	return true, t.text.Fates(fates)
}

// addressOf is where a device is, as a record has it.
func addressOf(service string, d *deviceReport) session.Address {
	return session.Address{Service: cmp.Or(d.Service, service), Node: d.Node}
}

// serviceOf is our own; empty: there is no link.
func serviceOf(cfg *config.Config) string {
	if cfg.Component == nil {
		return ""
	}
	return cfg.Component.JID
}

func (t *narrator) fatesJSON(id string, devices []deviceReport, fates []timeline.Fate) error {
	out := json.NewEncoder(t.out)
	var errs []error
	for i, f := range fates {
		d := &devices[i]
		line := fated{Stanza: id, Device: deviceName(d), App: d.App, Service: d.Service, Asked: f.Asked, Why: f.Because.Why, Wake: wakeFor(f.Wake), Next: wakeFor(f.Next)}
		if d.App != "" {
			line.Node = d.Node
		}
		if f.Asked {
			line.Verdict, line.At, line.Rule, line.Class = string(f.Because.Verdict), f.Because.At, f.Because.Rule, f.Because.Class.String()
		}
		errs = append(errs, out.Encode(line))
	}
	return errors.Join(errs...)
}

func wakeFor(w *timeline.Wake) *fatedWake {
	if w == nil {
		return nil
	}
	out := &fatedWake{At: w.At}
	if last := w.Last(); last.Verdict != "" {
		out.Became, out.Because = string(last.Verdict), last.Why
		if last.After > 0 {
			out.After = last.After.String()
		}
	}
	return out
}

// noStanza says why nothing may be on record about a stanza.
const noStanza = `nothing on record is about that stanza. Its id is the one that its sender gave it (id='…'), or that the
account's archive did (<stanza-id/>). No decision was asked for if it is nothing that wakes (a receipt, a chat
state, what the account itself wrote), or if it was neither archived nor held back for a client. A record ends
after 7 days, or when it is full; without --stanza all of it is told.`
