package business

import (
	"time"

	"rouse/session"
)

// filters are those that hold for an endpoint: the user's, and its own.
func (d *decision) filters(ep session.Endpoint) [2]*session.Filter {
	return [2]*session.Filter{d.a.Filter, ep.Filter}
}

// refused says why the user does not want an endpoint to be woken for a stanza; empty:
// there is no reason.
func (d *decision) refused(ep session.Endpoint, class session.Class, of stanza) string {
	for _, f := range d.filters(ep) {
		if why := f.Refuses(class, of.chat, of.stranger); why != "" {
			return why
		}
	}
	return ""
}

// mute reports whether a call that comes now must not ring.
func (d *decision) mute(ep session.Endpoint) bool {
	for _, f := range d.filters(ep) {
		if f != nil && !f.Calls && f.Rests(d.now, d.zone).After(d.now) {
			return true
		}
	}
	return false
}

// calm gives when a wake that is due at a time may go: when it is quiet no more.
func (d *decision) calm(ep session.Endpoint, due time.Time) time.Time {
	return calm(d.filters(ep), d.policy, due)
}

func calm(filters [2]*session.Filter, p Policy, due time.Time) time.Time {
	zone := zones(p)
	for range 4 { // one's quiet hours may follow on the other's
		at := due
		for _, f := range filters {
			at = f.Rests(at, zone)
		}
		if at.Equal(due) {
			break
		}
		due = at
	}
	return due
}

func (d *decision) zone(name string) *time.Location { return zones(d.policy)(name) }

func zones(p Policy) func(string) *time.Location {
	return func(name string) *time.Location {
		if name == "" || p.Zone == nil {
			return time.UTC
		}
		if z := p.Zone(name); z != nil {
			return z
		}
		return time.UTC
	}
}

// grace is how long a wake of the endpoint waits whether it is read elsewhere.
func (d *decision) grace(ep session.Endpoint) time.Duration {
	grace := d.policy.Grace
	for _, f := range d.filters(ep) {
		if f != nil && f.Grace != 0 {
			grace = max(0, f.Grace)
		}
	}
	return grace
}

// choose: the user set a filter, of all devices or of one. What waits for the end of
// a quiet time is looked at anew when it is due, which it is now.
func (d *decision) choose() {
	f := d.e.Filter
	if f.Empty() {
		f = nil
	}
	at := d.addresses(all)
	if d.e.Address == (session.Address{}) {
		d.a.Filter = f
	} else if ep, ok := d.a.Endpoints[d.e.Address]; ok {
		ep.Filter = f
		d.a.Endpoints[d.e.Address] = ep
		at = []session.Address{d.e.Address}
	} else {
		return
	}
	d.say("", session.Quiet, session.Nothing, d.e.Address, "the user set what it is woken for")
	for _, addr := range at {
		d.hurry(addr)
	}
}

// hurry has wakes be due that wait for the end of a quiet time. Windows last.
func (d *decision) hurry(addr session.Address) {
	ep := d.a.Endpoints[addr]
	for c := session.Silent; c < session.NumClasses; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		w, ok := d.a.Pending[k]
		if !ok || c.Rings() || w.Attempt > 0 || w.Claimed(d.now) || w.Serial == ep.Held.Wake || d.repeats(addr, w) || !w.Due.After(d.now) {
			continue
		}
		due := d.now
		scheduled := ep.Woken.Equal(w.Due)
		if scheduled {
			due = d.window(ep.Before, ep.Behind, c)
		}
		if due = d.calm(ep, due); scheduled {
			if ep.Woken = due; !due.After(d.now) {
				ep.Before, ep.Behind = time.Time{}, session.Nothing
			}
			d.a.Endpoints[addr] = ep
		}
		if w.Due = due; !due.After(d.now) {
			d.say(w.Rule, session.Hurried, c, addr, "it is not quiet any more")
		}
		d.a.Pending[k] = w
	}
}
