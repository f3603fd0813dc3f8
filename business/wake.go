package business

import (
	"slices"
	"time"

	"rouse/session"
)

// wakeFor owes an endpoint a wake for the stanza with that key, unless one is
// owed or given for it already.
func (d *decision) wakeFor(rule, key string, addr session.Address, class session.Class, count int) {
	if !class.Wakes() {
		d.say(rule, session.Quiet, class, addr, "nothing that is worth a wake")
		return
	}
	ep := d.a.Endpoints[addr]
	switch {
	case ep.Dead != "":
		d.say(rule, session.Died, class, addr, "the endpoint is dead: "+ep.Dead)
	case d.seen(ringing(key, class), addr):
		d.say(rule, session.Covered, class, addr, "another report of the same stanza woke it")
	case slices.Contains(d.e.Published, addr):
		d.see(key, class, addr)
		d.say(rule, session.Covered, class, addr, "the server itself published while rouse was away")
	default:
		d.see(key, class, addr)
		d.owe(rule, addr, ep, class, count)
	}
}

// owe adds to what is pending for an endpoint: into the row that is there, or as
// a new row that is due at once or at the end of the endpoint's window.
func (d *decision) owe(rule string, addr session.Address, ep session.Endpoint, class session.Class, count int) {
	if k, w, ok := d.roomIn(addr, class); ok {
		w.Count += count
		if class == session.Call && !w.Claimed(d.now) {
			w.Since = d.now // another call: it rings as long as any
			if w.Attempt > 0 {
				w.Due = d.now
			}
		}
		d.a.Pending[k] = w
		why := "joins a wake that is still to be sent"
		if w.Claimed(d.now) {
			why = "a wake is being sent now; one more follows"
		}
		d.say(rule, session.Merged, class, addr, why)
		return
	}
	w := session.Wake{Count: count, Rule: rule, Since: d.now}
	d.absorb(addr, class, &w)
	w.Due, ep = due(ep, class, d.policy, d.now)
	d.a.Serial++
	w.Serial = d.a.Serial
	d.a.Pending[session.WakeKey{Address: addr, Class: class}] = w
	d.a.Endpoints[addr] = ep
	why := "at once"
	if w.Due.After(d.now) {
		why = "in " + w.Due.Sub(d.now).Round(time.Millisecond).String() + ", with what comes until then"
	}
	d.say(rule, session.Woke, class, addr, why)
}

// roomIn finds the row that can also stand for a stanza of this class: one of
// the same class, or one of a higher class that nobody sends yet. Calls keep to
// themselves: they ring, and must not be swallowed or swallow.
func (d *decision) roomIn(addr session.Address, class session.Class) (session.WakeKey, session.Wake, bool) {
	k := session.WakeKey{Address: addr, Class: class}
	if w, ok := d.a.Pending[k]; ok {
		return k, w, true
	}
	for c := class + 1; c < session.Call; c++ {
		k.Class = c
		if w, ok := d.a.Pending[k]; ok && !w.Claimed(d.now) {
			return k, w, true
		}
	}
	return k, session.Wake{}, false
}

// absorb takes in rows of lower classes that nobody sends yet.
func (d *decision) absorb(addr session.Address, class session.Class, w *session.Wake) {
	if class == session.Call {
		return
	}
	for c := session.Silent; c < class; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		if low, ok := d.a.Pending[k]; ok && !low.Claimed(d.now) {
			w.Count += low.Count
			if low.Since.Before(w.Since) {
				w.Since = low.Since
			}
			delete(d.a.Pending, k)
		}
	}
}

// due says when a new wake may go out, and moves the endpoint's window.
func due(ep session.Endpoint, class session.Class, p Policy, now time.Time) (time.Time, session.Endpoint) {
	if class == session.Call {
		return calls(ep, p, now)
	}
	at := now
	if end := ep.Woken.Add(p.Coalesce); class <= ep.WokenAs && end.After(now) && !ep.Woken.After(now.Add(p.Coalesce)) {
		at = end
	}
	ep.Woken, ep.WokenAs = at, class
	return at, ep
}

// here: the client of an endpoint is back. What is owed is not needed, and the
// first wake of its next sleep waits for no window.
func (d *decision) here(rule string, addr session.Address, why string) {
	d.withdraw(rule, addr, why)
	ep := d.a.Endpoints[addr]
	ep.Woken, ep.WokenAs = time.Time{}, session.Nothing
	d.a.Endpoints[addr] = ep
}

// withdraw takes back what is owed to an endpoint.
func (d *decision) withdraw(rule string, addr session.Address, why string) {
	for c := session.Silent; c < session.NumClasses; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		w, ok := d.a.Pending[k]
		if !ok {
			continue
		}
		delete(d.a.Pending, k)
		text := why
		if w.Claimed(d.now) {
			text += "; too late, it is being sent"
		}
		d.say(rule, session.Withdrew, c, addr, text)
	}
}
