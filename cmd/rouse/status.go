package main

import (
	"context"
	"fmt"
	"time"

	"rouse/component"
	"rouse/store"
	"rouse/store/fleet"
	"rouse/web"
)

// status is what /readyz and STATUS= tell.
func (a *app) status() web.Status {
	cfg, fleet := a.cfg.Load(), a.member.State()
	s := web.Status{
		Draining: a.draining.Load(),
		Store:    web.Part{Name: "store", State: web.Up, Since: a.started},
		Link:     a.linkPart(fleet),
	}
	if fleet.Err != nil {
		s.Store = web.Part{Name: "store", State: web.Down, Cause: fleet.Err.Error()}
	}
	if a.listener != nil {
		s.Listeners = []web.Part{{Name: "web " + a.listener.Addr().String(), State: web.Up, Since: a.started}}
	}
	stopped := a.workers.Stopped()
	for _, app := range cfg.Apps {
		p := web.Part{Name: "app " + app.Name, State: web.Up}
		if why, is := stopped[app.Name]; is {
			p.State, p.Cause = web.Down, why
		}
		s.Apps = append(s.Apps, p)
	}
	return s
}

// linkPart is how the link is, as far as this process is concerned.
func (a *app) linkPart(f fleet.State) web.Part {
	p := web.Part{Name: "link", State: web.Retrying}
	switch state := a.link.state.Load(); {
	case a.cfg.Load().Component == nil:
		p.State = web.Unused
	case !a.member.Holds() && f.Err != nil:
		p.State, p.Cause = web.StandingBy, "the store does not say who may have it"
	case !a.member.Holds() && f.Holder.ID != "" && f.Holder.ID != a.id:
		p.State, p.Cause = web.StandingBy, nameOf(f.Holder)+" has it"
	case !a.member.Holds() && a.draining.Load():
		p.State = web.StandingBy
	case state == nil: // nothing is known yet
	case state.Kind == component.Up:
		p.State = web.Up
	case state.Cause != nil:
		p.Cause = state.Cause.Error()
	}
	return p
}

// nameOf names a process for people.
func nameOf(p store.Process) string {
	if p.Machine == "" {
		return "another process"
	}
	return fmt.Sprintf("%s (pid %d)", p.Machine, p.PID)
}

// self is what this process tells the others of itself.
func (a *app) self() store.Process {
	link := a.linkPart(a.member.State())
	words := string(link.State)
	if link.State == web.Retrying && link.Cause != "" {
		words += ": " + link.Cause
	}
	if a.draining.Load() {
		words += ", stopping"
	}
	return store.Process{Machine: a.machine, PID: a.pid, Version: release, Started: a.started, Link: words, Stopped: a.workers.Stopped()}
}

// fleet is what /status.json tells.
func (a *app) fleet(ctx context.Context) (any, error) {
	return reportFleet(ctx, a.store, a.cfg.Load().Store.Name, time.Now())
}
