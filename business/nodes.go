package business

import (
	"slices"
	"time"

	"rouse/session"
)

// Each node of a cluster counts for itself: what one has reported hides nothing
// of another. A session is of one node from its beginning to its end.

// progress gives how far the event's reporter has come with the account's own events.
func (d *decision) progress() (epoch, n uint64) {
	if d.e.Node == "" {
		return d.a.Epoch, d.a.Counter
	}
	if i := slices.IndexFunc(d.a.Progress, d.isOurs); i >= 0 {
		return d.a.Progress[i].Epoch, d.a.Progress[i].Counter
	}
	return 0, 0
}

// count notes how far the reporter has come.
func (d *decision) count() {
	e := d.e
	if e.Session != "" || e.N == 0 {
		return
	}
	if e.Node == "" {
		d.a.Epoch, d.a.Counter = e.Epoch, e.N
		return
	}
	d.a.Progress = append(slices.DeleteFunc(d.a.Progress, d.isOurs), session.Progress{Node: e.Node, Epoch: e.Epoch, Counter: e.N})
	if n := len(d.a.Progress) - MaxNodes; n > 0 {
		d.a.Progress = slices.Delete(d.a.Progress, 0, n)
	}
}

func (d *decision) isOurs(p session.Progress) bool { return p.Node == d.e.Node }

// Leave ends the sessions of a node that is gone. Endpoints are common to all
// nodes: those of which it told last pass to who says that it is gone, whose next
// picture shows or ends them. No reasons: nothing changed.
func Leave(a session.Account, node string, told session.Mark, p Policy, now time.Time) (session.Account, []session.Reason) {
	d := &decision{a: a.Clone(), policy: p, now: now, e: session.Event{Kind: session.Left}}
	d.endAll(a, "its node of the cluster is gone", func(s session.Session) bool { return s.Told.Node == node })
	for _, addr := range d.addresses(func(ep session.Endpoint) bool { return ep.Told.Node == node }) {
		ep := d.a.Endpoints[addr]
		ep.Told = told
		d.a.Endpoints[addr] = ep
		d.say("", session.Quiet, session.Nothing, addr, "the node of the cluster that told of it is gone; the picture of another one shows whether it is there")
	}
	d.release()
	return d.a, d.reasons
}

// endAll ends the sessions that are gone.
func (d *decision) endAll(a session.Account, why string, gone func(session.Session) bool) {
	for sid, s := range a.Sessions {
		if gone(s) {
			d.e.Session, d.e.Epoch, d.e.N, d.e.Reason = sid, s.Epoch, s.Counter, why
			d.ended()
			for _, addr := range d.addresses(ownedBy(sid)) { // it will not be resumed
				ep := d.a.Endpoints[addr]
				ep.Owner = ""
				d.a.Endpoints[addr] = ep
			}
		}
	}
	d.e.Session = ""
}
