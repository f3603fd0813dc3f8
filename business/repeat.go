package business

import (
	"slices"
	"strings"
	"time"

	"rouse/session"
)

// A device that was woken is expected back: its client logs in, resumes or enables
// push again. Until then it is woken again now and then, for all that it was woken
// for. That wake stands in Pending like any, and is one of its own: it exists only
// while nothing else is owed to the device, and what is new takes its place.

// await notes that a device was woken, for what was not read elsewhere meanwhile.
func (d *decision) await(key session.WakeKey, claimed session.Wake, s session.Settlement, done []session.Wait) {
	ep, ok := d.a.Endpoints[key.Address]
	if !ok {
		return
	}
	x, again := ep.Expected, d.repeats(key.Address, claimed)
	n := claimed.Sent - read(done)
	switch {
	case s.Once || d.third(key.Address) || len(d.policy.Repeat) == 0:
		x = session.Expected{}
	case again && x.Count == 0:
		x = session.Expected{} // all of it was read elsewhere, as this was sent
	case again:
		x.Again, x.At, x.Wake = x.Again+1, d.now, 0
	case s.Verdict != session.Sent || claimed.Rule == "p" || d.awake(ep) || n <= 0:
	default:
		if x.Since.IsZero() {
			x.Since = d.now
		}
		x.At, x.Count, x.Class = d.now, x.Count+n, max(x.Class, shown(key.Class))
	}
	ep.Expected = x
	d.a.Endpoints[key.Address] = ep
}

// shown is the class of what is still there when a wake was not heard.
func shown(c session.Class) session.Class {
	if c.Rings() {
		return session.Message
	}
	return c
}

// expect owes another wake to who did not come back, where nothing else is owed, and
// settles who did, however that became known.
func (d *decision) expect() {
	for _, addr := range d.addresses(func(ep session.Endpoint) bool { return !ep.Expected.Since.IsZero() }) {
		ep := d.a.Endpoints[addr]
		switch {
		case d.awake(ep):
			if k, w, ok := d.wake(addr, ep.Expected.Wake); ok && w.Claimed(d.now) {
				delete(d.a.Pending, k)
				d.say("", session.Withdrew, k.Class, addr, "it is there; too late, it is being sent")
			}
			d.giveWay(addr)
			d.came("", addr)
		case len(d.policy.Repeat) == 0:
			d.giveWay(addr)
			ep.Expected = session.Expected{}
			d.a.Endpoints[addr] = ep
		case !ep.Expected.Missing && !d.owed(addr):
			d.again(addr, ep)
		}
	}
}

// again owes the next wake to a device that is expected, or gives up on it.
func (d *decision) again(addr session.Address, ep session.Endpoint) {
	x := &ep.Expected
	due := x.At.Add(d.policy.Repeat[min(x.Again, len(d.policy.Repeat)-1)])
	if due.Before(d.now) {
		due = d.now
	}
	if due.Sub(x.Since) > d.policy.RepeatFor {
		x.Missing, x.Wake = true, 0
		d.say("", session.Missing, session.Nothing, addr, "did not come back in "+span(d.now.Sub(x.Since))+"; it is not woken again for what it was woken for")
	} else {
		x.Wake, due = d.serial(), d.calm(ep, due)
		d.a.Pending[session.WakeKey{Address: addr, Class: x.Class}] = session.Wake{Serial: x.Wake, Count: max(x.Count, 1), Since: due, Due: due}
	}
	d.a.Endpoints[addr] = ep
}

// came: the device is back. That settles all.
func (d *decision) came(rule string, addr session.Address) {
	ep := d.a.Endpoints[addr]
	if x := ep.Expected; !x.Since.IsZero() {
		why := span(d.now.Sub(x.Since)) + " after it was woken"
		if x.Again > 0 {
			why += ", and again " + times(x.Again)
		}
		ep.Expected = session.Expected{}
		d.a.Endpoints[addr] = ep
		d.say(rule, session.Back, session.Nothing, addr, why)
	}
}

// fewer: something was read elsewhere that a device was woken for. It is not woken
// again for nothing.
func (d *decision) fewer(addr session.Address, n int) {
	ep := d.a.Endpoints[addr]
	x := &ep.Expected
	if x.Since.IsZero() {
		return
	}
	x.Count = max(0, x.Count-n)
	x.Class = d.highest(addr, *x)
	k, w, waits := d.wake(addr, x.Wake)
	switch {
	case waits && w.Claimed(d.now): // what comes of that decides
	case x.Count == 0:
		delete(d.a.Pending, k)
		ep.Expected = session.Expected{}
	case waits:
		delete(d.a.Pending, k) // owed anew as what it is now
		x.Wake = 0
	}
	d.a.Endpoints[addr] = ep
}

// highest is the class of what a device was woken for and nobody read: less than it was
// only where all of that is known.
func (d *decision) highest(addr session.Address, x session.Expected) session.Class {
	n, most := 0, session.Nothing
	for _, w := range d.a.Waits {
		if w.Endpoint == addr && w.Wake == 0 {
			n, most = n+w.Count, max(most, shown(w.Class))
		}
	}
	if n != x.Count || n == 0 {
		return x.Class
	}
	return most
}

// giveWay takes back the wake that is to wake a device again, unless it is being sent.
func (d *decision) giveWay(addr session.Address) {
	ep := d.a.Endpoints[addr]
	if k, w, ok := d.wake(addr, ep.Expected.Wake); ok && !w.Claimed(d.now) {
		delete(d.a.Pending, k)
		ep.Expected.Wake = 0
		d.a.Endpoints[addr] = ep
	}
}

// ordinary: a stanza joins a wake. If that was to wake the device again, it is a wake
// like any from now on.
func (d *decision) ordinary(addr session.Address, w session.Wake) {
	if d.repeats(addr, w) {
		ep := d.a.Endpoints[addr]
		ep.Expected.Wake, ep.Expected.Count = 0, 0
		d.a.Endpoints[addr] = ep
	}
}

// repeats reports whether a wake is one that wakes a device again.
func (d *decision) repeats(addr session.Address, w session.Wake) bool {
	return w.Serial != 0 && d.a.Endpoints[addr].Expected.Wake == w.Serial
}

// owed reports whether a device is owed anything.
func (d *decision) owed(addr session.Address) bool {
	for c := session.Silent; c < session.NumClasses; c++ {
		if _, ok := d.a.Pending[session.WakeKey{Address: addr, Class: c}]; ok {
			return true
		}
	}
	return false
}

// awake reports whether the session that has the device is connected.
func (d *decision) awake(ep session.Endpoint) bool {
	s, ok := d.a.Sessions[ep.Owner]
	return ok && s.State != session.Delayed && s.State != session.Hibernated
}

// third reports whether the device is registered with a push service of others.
func (d *decision) third(addr session.Address) bool {
	return d.policy.Service != "" && addr.Service != d.policy.Service
}

// tried says of a try to wake a device again which one it is.
func (d *decision) tried(addr session.Address, w session.Wake) string {
	if !d.repeats(addr, w) {
		return ""
	}
	x := d.a.Endpoints[addr].Expected
	return "again, as it did not come back in " + span(d.now.Sub(x.Since)) + ": "
}

// read counts what was read elsewhere while it was sent.
func read(done []session.Wait) (n int) {
	for _, x := range done {
		if x.Read {
			n += x.Count
		}
	}
	return n
}

// notRead gives the others.
func notRead(done []session.Wait) []session.Wait {
	return slices.DeleteFunc(slices.Clone(done), func(x session.Wait) bool { return x.Read })
}

// span is a duration as people say it.
func span(t time.Duration) string {
	switch {
	case t >= 48*time.Hour:
		return plural(int(t.Round(24*time.Hour)/(24*time.Hour)), "day", "days")
	case t >= time.Minute:
		text := strings.TrimSuffix(t.Round(time.Minute).String(), "0s")
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
	}
	return t.Round(time.Second).String()
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return plural(n, "time", "times")
}

// keep puts back a wake that was to wake a device again, unless something else is
// owed meanwhile.
func (d *decision) keep(key session.WakeKey, w session.Wake) {
	delete(d.a.Pending, key)
	ep := d.a.Endpoints[key.Address]
	why := "something else is owed to it"
	switch {
	case ep.Expected.Count == 0:
		ep.Expected, why = session.Expected{}, "all of it was read on another device"
	case d.owed(key.Address):
		ep.Expected.Wake = 0
	default:
		d.a.Pending[key] = w
		return
	}
	d.a.Endpoints[key.Address] = ep
	d.say(w.Rule, session.Withdrew, key.Class, key.Address, why)
}
