package business

import (
	"time"

	"rouse/session"
)

// row applies a row of the picture: a session as it is now. Whatever we did not
// hear of is made up for: a sleeper with unread stanzas that no wake covers is
// woken, one that is back is settled.
func (d *decision) row() {
	e := d.e
	s, known := d.a.Sessions[e.Session]
	if known && e.N != 0 && session.Comparable(s.Told.Node, e.Node) && (e.Epoch < s.Epoch || e.Epoch == s.Epoch && e.N < s.Counter) {
		return // we know better already
	}
	was := s.State
	if known && s.Epoch != e.Epoch && e.Out < s.Out {
		s = session.Session{} // another session under an id that was used before
	}
	s.Resource, s.Client = e.Resource, e.Client
	s.Epoch, s.Counter, s.Told = e.Epoch, e.N, e.Told
	s.State, s.Out, s.Acked = e.State, e.Out, max(s.Acked, e.Acked)
	switch e.State {
	case session.Delayed:
		s = d.unread("a1", s)
	case session.Hibernated:
		s = d.unread("a2", s)
	default:
		if !known || was == session.Delayed || was == session.Hibernated {
			s = d.back(s, "", "found connected")
		}
	}
	d.a.Sessions[e.Session] = s
}

// stored applies a row of the picture: an endpoint as the server has it.
func (d *decision) stored() {
	e := d.e
	ep, known := d.a.Endpoints[e.Address]
	ep.Resource, ep.Client, ep.Secret, ep.Told = e.Resource, e.Client, e.Secret, e.Told
	if !known {
		ep.Enabled = d.now
		if !e.Since.IsZero() && e.Since.Before(d.now) {
			ep.Enabled = e.Since
		}
	}
	if !known || e.Reason != "" {
		ep.Dead = e.Reason
	}
	if e.Session != "" {
		ep.Owner = e.Session
	} else if _, there := d.a.Sessions[ep.Owner]; !there {
		ep.Owner = ""
		for sid, s := range d.a.Sessions {
			if sameClient(ep, s) && sid > ep.Owner {
				ep.Owner = sid
			}
		}
	}
	d.a.Endpoints[e.Address] = ep
	d.bound(e.Address)
}

// Sweep ends, at the end of a picture, what it did not show: sessions and
// endpoints that nothing told of since it began. A node of a cluster ends what it
// told itself: its own sessions, and the endpoints of which no other node told
// later. Only then it is known which endpoints are too many. No reasons: nothing changed.
func Sweep(a session.Account, began session.Mark, p Policy, now time.Time) (session.Account, []session.Reason) {
	d := &decision{a: a.Clone(), policy: p, now: now, e: session.Event{Kind: session.PictureOff}}
	d.endAll(a, "not there any more", func(s session.Session) bool { return s.Told.Before(began) })
	for _, addr := range d.addresses(all) {
		ep := d.a.Endpoints[addr]
		if ep.Told.Before(began) {
			d.remove(addr, "not registered any more")
		}
	}
	d.boundThirds(session.Address{})
	d.release()
	return d.a, d.reasons
}
