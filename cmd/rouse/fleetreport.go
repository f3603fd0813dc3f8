package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"rouse/session"
	"rouse/store"
	"rouse/web"
)

// fleetReport is what /status.json and `rouse status` tell: how all processes on
// a store are, and what they have to do.
type fleetReport struct {
	At        time.Time       `json:"at"`
	Store     string          `json:"store"`          // without user and password
	Link      *linkReport     `json:"link,omitempty"` // nil: nobody has it
	Processes []store.Process `json:"processes"`      // the oldest first; see silent
	Pending   int             `json:"pending"`        // wakes
	OldestDue time.Time       `json:"oldest_due,omitzero"`
	Sessions  map[string]int  `json:"sessions"`
	Endpoints int             `json:"endpoints"`
}

// linkReport says who has the component link.
type linkReport struct {
	Process string    `json:"process"`
	Machine string    `json:"machine"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	State   string    `json:"state"`
}

// fleetReader is what a report is made from.
type fleetReader interface {
	Processes(ctx context.Context) ([]store.Process, error)
	Counts(ctx context.Context) (store.Counts, error)
}

// reportFleet asks a store, which is called name.
func reportFleet(ctx context.Context, st fleetReader, name string, now time.Time) (fleetReport, error) {
	r := fleetReport{At: now.UTC(), Store: name, Processes: []store.Process{}, Sessions: make(map[string]int)}
	list, err := st.Processes(ctx)
	if err != nil {
		return r, err
	}
	n, err := st.Counts(ctx)
	if err != nil {
		return r, err
	}
	r.Processes = append(r.Processes, list...)
	r.Pending, r.OldestDue, r.Endpoints = n.Pending, n.OldestDue, n.Endpoints
	for state := range session.NumStates {
		r.Sessions[state.String()] = n.Sessions[state]
	}
	// One that was killed or stopped is on the list for some seconds more: the
	// newest of those that believe it has it.
	for _, p := range list {
		if !p.Holds.IsZero() && !r.silent(p) && (r.Link == nil || p.Holds.After(r.Link.Since)) {
			r.Link = &linkReport{p.ID, p.Machine, p.PID, p.Holds, p.Link}
		}
	}
	return r, nil
}

// silent reports whether a process is dead, or as good as that. The others take
// it off the list, if there are any; its clock and ours may differ a little.
func (r fleetReport) silent(p store.Process) bool { return r.At.Sub(p.Said) > 10*time.Second }

// working reports whether any process is there.
func (r fleetReport) working() bool {
	return slices.ContainsFunc(r.Processes, func(p store.Process) bool { return !r.silent(p) })
}

// write tells it to a person.
func (r fleetReport) write(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("store", "%s", r.Store)
	switch {
	case r.Link != nil:
		line("link", "%s has it since %s (%s): %s", nameOf(store.Process{Machine: r.Link.Machine, PID: r.Link.PID}),
			r.Link.Since.Local().Format(time.DateTime), age(r.At.Sub(r.Link.Since)), r.Link.State)
	case len(r.Processes) > 0 && r.linkless():
		line("link", string(web.Unused))
	default:
		line("link", "nobody has it")
	}
	late := r.At.Sub(r.OldestDue)
	switch {
	case r.Pending == 0:
		line("wakes", "none pending")
	case late >= time.Second:
		line("wakes", "%d pending, the oldest is late by %s", r.Pending, age(late))
	case late > -time.Second:
		line("wakes", "%d pending, the oldest is due now", r.Pending)
	default:
		line("wakes", "%d pending, the next is due in %s", r.Pending, age(-late))
	}
	var sessions []string
	for state := range session.NumStates {
		sessions = append(sessions, fmt.Sprintf("%d %s", r.Sessions[state.String()], state))
	}
	line("sessions", "%s", strings.Join(sessions, ", "))
	line("endpoints", "%d", r.Endpoints)
	if len(r.Processes) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "machine\tpid\tversion\tup for\tlink")
	for _, p := range r.Processes {
		link := p.Link
		if r.silent(p) {
			link = "nothing heard for " + age(r.At.Sub(p.Said))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", p.Machine, p.PID, p.Version, age(r.At.Sub(p.Started)), link)
	}
	table.Flush()
	for _, p := range r.Processes {
		for _, app := range slices.Sorted(maps.Keys(p.Stopped)) {
			fmt.Fprintf(w, "\napp %s is stopped on %s:\n  %s\n", app, nameOf(p), p.Stopped[app])
		}
	}
}

// linkless reports whether no process is to have a link.
func (r fleetReport) linkless() bool {
	for _, p := range r.Processes {
		if p.Link != string(web.Unused) {
			return false
		}
	}
	return true
}

// age is a duration in its two largest units.
func age(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 60*60:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	case s < 24*60*60:
		return fmt.Sprintf("%dh %dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd %dh", s/86400, s/3600%24)
}
