package business

import (
	"slices"
	"time"

	"rouse/session"
)

// Each node of a cluster counts for itself: what one has reported hides nothing
// of another. A session is of one node from its beginning to its end.

// counts reports whether epochs and counters that two nodes gave can be compared.
// What was reported without a node comes from before the server told its nodes.
func counts(a, b string) bool { return a == b || a == "" || b == "" }

// mark gives how far the event's reporter has come with the account's own events.
func (d *decision) mark() (epoch, n uint64) {
	if d.e.Node == "" {
		return d.a.Epoch, d.a.Counter
	}
	if i := slices.IndexFunc(d.a.Marks, d.isOurs); i >= 0 {
		return d.a.Marks[i].Epoch, d.a.Marks[i].Counter
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
	d.a.Marks = append(slices.DeleteFunc(d.a.Marks, d.isOurs), session.Mark{Node: e.Node, Epoch: e.Epoch, Counter: e.N})
	if n := len(d.a.Marks) - MaxNodes; n > 0 {
		d.a.Marks = slices.Delete(d.a.Marks, 0, n)
	}
}

func (d *decision) isOurs(m session.Mark) bool { return m.Node == d.e.Node }

// Leave ends the sessions of a node that is gone. Registrations are common to all nodes.
func Leave(a session.Account, node string, now time.Time) (session.Account, []session.Reason) {
	d := &decision{a: a.Clone(), now: now, e: session.Event{Kind: session.Left}}
	d.endAll(a, "its node of the cluster is gone", func(s session.Session) bool { return s.Node == node })
	return d.a, d.reasons
}

// endAll ends the sessions that are gone.
func (d *decision) endAll(a session.Account, why string, gone func(session.Session) bool) {
	for sid, s := range a.Sessions {
		if gone(s) {
			d.e.Session, d.e.Epoch, d.e.N, d.e.Reason = sid, s.Epoch, s.Counter, why
			d.ended()
		}
	}
	d.e.Session = ""
}
