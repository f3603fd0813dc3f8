package business

import (
	"time"

	"rouse/session"
)

// elsewhere reports whether the user is active in a session that is not the
// endpoint's own.
func (d *decision) elsewhere(ep session.Endpoint) bool {
	for sid, s := range d.a.Sessions {
		if sid != ep.Owner && s.State == session.Active {
			return true
		}
	}
	return false
}

// release lets wakes go that waited whether somebody reads elsewhere, where nobody is
// active elsewhere any more.
func (d *decision) release() {
	for _, addr := range d.addresses(func(ep session.Endpoint) bool { return ep.Held.Wake != 0 }) {
		ep := d.a.Endpoints[addr]
		k, w, ok := d.held(addr, ep.Held.Wake)
		if ok && d.elsewhere(ep) {
			continue
		}
		if ok {
			w.Due = ep.Held.Else
			if w.Due.Before(d.now) {
				w.Due = d.now
			}
			w.Due = d.calm(ep, w.Due)
			d.a.Pending[k] = w
			if ep.Woken = w.Due; !w.Due.After(d.now) {
				ep.Before, ep.Behind = time.Time{}, session.Nothing
			}
			d.say(w.Rule, session.Hurried, k.Class, addr, "no other device is in use any more")
		}
		ep.Held = session.Held{}
		d.a.Endpoints[addr] = ep
	}
}

// held finds the wake that waits.
func (d *decision) held(addr session.Address, serial uint64) (session.WakeKey, session.Wake, bool) {
	k, w, ok := d.wake(addr, serial)
	return k, w, ok && w.Attempt == 0 && w.Due.After(d.now) && !w.Claimed(d.now)
}

// wake finds a wake by its serial.
func (d *decision) wake(addr session.Address, serial uint64) (session.WakeKey, session.Wake, bool) {
	for c := session.Silent; c < session.NumClasses; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		if w, ok := d.a.Pending[k]; ok && w.Serial == serial {
			return k, w, true
		}
	}
	return session.WakeKey{}, session.Wake{}, false
}
