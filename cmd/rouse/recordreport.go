package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"time"

	"rouse/business/timeline"
	"rouse/config"
	"rouse/gateway"
	"rouse/session"
)

// recordReport is what a desk tells of the record of an account.
type recordReport struct {
	Known   bool             `json:"known,omitempty"`
	Ours    bool             `json:"ours,omitempty"`
	Reasons []session.Reason `json:"reasons,omitempty"`
	Devices []deviceReport   `json:"devices,omitempty"`
}

func reportRecord(cfg *config.Config, r gateway.Record, now time.Time) recordReport {
	out := recordReport{Known: r.Known, Ours: r.Ours, Reasons: r.Reasons}
	for _, d := range r.Devices {
		out.Devices = append(out.Devices, reportDevice(cfg, d, now))
	}
	return out
}

// told is a line of explain and simulate for programs: its names are stable.
type told struct {
	At       time.Time     `json:"at"`
	Event    session.Kind  `json:"event"`
	Session  string        `json:"session,omitempty"`
	Verdict  string        `json:"verdict"`
	Class    session.Class `json:"class"`
	Rule     string        `json:"rule,omitempty"`
	Device   string        `json:"device,omitempty"` // as people read it
	Node     string        `json:"node,omitempty"`   // of a device that is registered here
	App      string        `json:"app,omitempty"`
	Provider string        `json:"provider,omitempty"`
	Service  string        `json:"service,omitempty"` // a third party's
	Why      string        `json:"why"`
	After    string        `json:"after,omitempty"`  // from the decision to the answer
	Stanza   string        `json:"stanza,omitempty"` // the id that the account's archive gave it, if it has one
	Tag      string        `json:"tag,omitempty"`    // stands for the id that its sender gave it
}

// narrator tells reasons to a person or a program.
type narrator struct {
	out     io.Writer
	json    bool
	text    timeline.Writer
	devices map[session.Address]deviceReport
	nodes   map[string]deviceReport // of ours
	home    string                  // simulate: the service of devices that no other one is said of
}

func newNarrator(out io.Writer, asJSON bool, zone *time.Location) *narrator {
	t := &narrator{out: out, json: asJSON, devices: map[session.Address]deviceReport{}, nodes: map[string]deviceReport{}}
	t.text = timeline.Writer{Out: out, Zone: zone, Named: func(a session.Address) string {
		one := t.of(a)
		return deviceName(&one)
	}}
	return t
}

// know takes on what devices are called.
func (t *narrator) know(list []deviceReport) {
	for _, d := range list {
		if d.Service != "" {
			t.devices[session.Address{Service: d.Service, Node: d.Node}] = d
		} else {
			t.nodes[d.Node] = d
		}
	}
}

// of is what is known of an endpoint: at least where it is.
func (t *narrator) of(a session.Address) deviceReport {
	if d, ok := t.devices[a]; ok {
		return d
	}
	if d, ok := t.nodes[a.Node]; ok {
		return d
	}
	if a.Service == t.home {
		return deviceReport{Node: a.Node}
	}
	return deviceReport{Node: a.Node, Service: a.Service}
}

func (t *narrator) tell(list []session.Reason) error {
	if !t.json {
		return t.text.Write(timeline.Of(list))
	}
	out := bufio.NewWriter(t.out)
	var errs []error
	for _, r := range list {
		line := told{At: r.At, Event: r.Event, Session: r.Session, Verdict: string(r.Verdict), Class: r.Class, Rule: r.Rule, Why: r.Why, Stanza: r.Stanza, Tag: r.Tag}
		if r.After > 0 {
			line.After = r.After.String()
		}
		if (r.Endpoint != session.Address{}) {
			d := t.of(r.Endpoint)
			line.Device, line.App, line.Provider, line.Service = deviceName(&d), d.App, d.Provider, d.Service
			if d.App != "" {
				line.Node = d.Node
			}
		}
		errs = append(errs, json.NewEncoder(out).Encode(line))
	}
	return errors.Join(append(errs, out.Flush())...)
}
