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
	case class.Rings() && d.over(d.of().chat):
		d.say(rule, session.Quiet, class, addr, "the call is over")
	case d.seen(ringing(key, class), addr):
		d.say(rule, session.Covered, class, addr, "another report of the same stanza woke it")
	case slices.Contains(d.e.Published, addr):
		d.see(key, class, addr)
		d.say(rule, session.Covered, class, addr, "the server itself published while rouse was away")
	case d.refused(ep, class, d.of()) != "":
		d.say(rule, session.Filtered, class, addr, d.refused(ep, class, d.of()))
	case class.Rings() && d.mute(ep):
		d.see(key, class, addr)
		d.say(rule, session.Filtered, class, addr, "it does not ring now: the user wants quiet")
		d.owe(rule, addr, session.Message, count)
	default:
		d.see(key, class, addr)
		d.owe(rule, addr, class, count)
	}
}

// owe adds to what is pending for an endpoint, and says so.
func (d *decision) owe(rule string, addr session.Address, class session.Class, count int) {
	w, joined := d.add(rule, addr, class, count)
	switch {
	case joined && w.Claimed(d.now):
		d.say(rule, session.Merged, class, addr, "a wake is being sent now; one more follows")
	case joined:
		d.say(rule, session.Merged, class, addr, "joins a wake that is still to be sent")
	case w.Serial == d.a.Endpoints[addr].Held.Wake:
		d.say(rule, session.Woke, class, addr, "in "+w.Due.Sub(d.now).Round(time.Millisecond).String()+", if it is not read on another device before")
	case d.calm(d.a.Endpoints[addr], d.now).After(d.now):
		d.say(rule, session.Woke, class, addr, "in "+w.Due.Sub(d.now).Round(time.Second).String()+", when the user wants quiet no more")
	case w.Due.After(d.now):
		d.say(rule, session.Woke, class, addr, "in "+w.Due.Sub(d.now).Round(time.Millisecond).String()+", with what comes until then")
	default:
		d.say(rule, session.Woke, class, addr, "at once")
	}
}

// add puts stanzas into a row that can stand for them too, or into a new one that
// is due at once or at the end of the endpoint's window.
func (d *decision) add(rule string, addr session.Address, class session.Class, count int) (_ session.Wake, joined bool) {
	d.giveWay(addr)
	if k, w, ok := d.roomIn(addr, class); ok {
		d.ordinary(addr, w)
		w.Count += count
		if class.Rings() {
			w.Since = d.now // another call: it rings as long as any
			if w.Attempt > 0 && !w.Claimed(d.now) {
				w.Due = d.now
			}
		}
		d.a.Pending[k] = w
		d.wait(w, addr, class, count)
		return w, true
	}
	w := session.Wake{Serial: d.serial(), Count: count, Rule: rule, Since: d.now}
	d.absorb(addr, class, &w)
	w.Due = d.schedule(addr, class, w.Serial)
	d.a.Pending[session.WakeKey{Address: addr, Class: class}] = w
	d.wait(w, addr, class, count)
	return w, false
}

// serial names a new wake. An account that was deleted and is there again counts from
// the clock on: nothing that is still said of an old wake is taken for a new one.
func (d *decision) serial() uint64 {
	if d.a.Serial == 0 {
		d.a.Serial = uint64(max(0, d.now.UnixMilli()))
	}
	d.a.Serial++
	return d.a.Serial
}

// roomIn finds the row that can also stand for a stanza of this class: one of
// the same class, or one of a higher class that merges and that nobody sends yet.
// Calls keep to themselves: they ring, and must not be swallowed or swallow.
func (d *decision) roomIn(addr session.Address, class session.Class) (session.WakeKey, session.Wake, bool) {
	k := session.WakeKey{Address: addr, Class: class}
	if w, ok := d.a.Pending[k]; ok {
		return k, w, true
	}
	for c := class + 1; c < session.NumClasses; c++ {
		k.Class = c
		if w, ok := d.a.Pending[k]; ok && c.Importance().Merges && !w.Claimed(d.now) {
			return k, w, true
		}
	}
	return k, session.Wake{}, false
}

// absorb takes in rows of lower classes that nobody sends yet, and says which.
func (d *decision) absorb(addr session.Address, class session.Class, w *session.Wake) (taken []session.Class) {
	if !class.Importance().Merges {
		return nil
	}
	for c := session.Silent; c < class; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		if low, ok := d.a.Pending[k]; ok && !low.Claimed(d.now) {
			*w = with(*w, low)
			d.pass(low.Serial, w.Serial)
			delete(d.a.Pending, k)
			taken = append(taken, c)
		}
	}
	return taken
}

// with is a wake that also stands for what another one stood for.
func with(w, other session.Wake) session.Wake {
	w.Count += other.Count
	if other.Since.Before(w.Since) {
		w.Since = other.Since
	}
	return w
}

// gather puts back a row that nobody sends any more. Meanwhile others may have come
// up beside it, which could not join it: of all but calls one wake is enough.
func (d *decision) gather(key session.WakeKey, w session.Wake) {
	const why = "goes with a wake that is more important"
	delete(d.a.Pending, key)
	d.giveWay(key.Address)
	if k, high, ok := d.roomIn(key.Address, key.Class); ok {
		d.a.Pending[k] = with(high, w)
		d.pass(w.Serial, high.Serial)
		d.say(w.Rule, session.Withdrew, key.Class, key.Address, why)
		return
	}
	for _, c := range d.absorb(key.Address, key.Class, &w) {
		d.unopened(key.Address, c)
		d.say(w.Rule, session.Withdrew, c, key.Address, why)
	}
	d.a.Pending[key] = w
}

// schedule says when a new wake may go out, and moves the endpoint's window.
func (d *decision) schedule(addr session.Address, class session.Class, serial uint64) time.Time {
	ep := d.a.Endpoints[addr]
	if class.Rings() {
		at, ep := calls(ep, d.policy, d.now)
		d.a.Endpoints[addr] = ep
		return at
	}
	begun, as := ep.Woken, ep.WokenAs
	if begun.After(d.now) { // the last one is still to go out
		begun, as = ep.Before, ep.Behind
	}
	at := d.window(begun, as, class)
	ep.Held, ep.Before, ep.Behind = session.Held{}, time.Time{}, session.Nothing
	if until := d.now.Add(d.grace(ep)); until.After(at) && d.elsewhere(ep) {
		ep.Held, at = session.Held{Wake: serial, Else: at}, until
	}
	at = d.calm(ep, at)
	if at.After(d.now) {
		ep.Before, ep.Behind = begun, as
	}
	ep.Woken, ep.WokenAs = at, class
	d.a.Endpoints[addr] = ep
	return at
}

// window says when a wake of a class may go after one that fell due at a time.
func (d *decision) window(begun time.Time, as, class session.Class) time.Time {
	if end := begun.Add(d.policy.Coalesce); class <= as && end.After(d.now) && !begun.After(d.now) { // a clock may have been set back
		return end
	}
	return d.now
}

// unopened: a wake that nobody sends is no more. If it had not fallen due, it opens no
// window, and is no call that rang.
func (d *decision) unopened(addr session.Address, class session.Class) {
	ep, ok := d.a.Endpoints[addr]
	switch {
	case !ok:
		return
	case class.Rings():
		ep.Calls = unrung(ep.Calls, d.now)
	case ep.Woken.After(d.now):
		ep.Woken, ep.WokenAs, ep.Before, ep.Behind = ep.Before, ep.Behind, time.Time{}, session.Nothing
	}
	d.a.Endpoints[addr] = ep
}

// here: the client of an endpoint is back. What is owed is not needed, and the
// first wake of its next sleep waits for no window.
func (d *decision) here(rule string, addr session.Address, why string) {
	d.withdraw(rule, addr, why)
	d.came(rule, addr)
	ep := d.a.Endpoints[addr]
	ep.Woken, ep.WokenAs, ep.Before, ep.Behind, ep.Held = time.Time{}, session.Nothing, time.Time{}, session.Nothing, session.Held{}
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
		if d.repeats(addr, w) && !w.Claimed(d.now) {
			continue // of which nothing was said
		}
		if w.Claimed(d.now) {
			text += "; too late, it is being sent"
		} else {
			d.unopened(addr, c)
		}
		d.say(rule, session.Withdrew, c, addr, text)
	}
}
