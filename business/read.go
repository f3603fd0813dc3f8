package business

import (
	"slices"
	"time"

	"rouse/session"
)

// wait notes of a stanza what its wake stands for, if it is told to which chat it
// belongs.
func (d *decision) wait(w session.Wake, addr session.Address, class session.Class, count int) {
	of := d.of()
	if of.chat == "" {
		return
	}
	x := session.Wait{Endpoint: addr, Chat: of.chat, Class: class, Count: count, Stanza: session.InArchive(of.key), Tag: of.tag, Wake: w.Serial, At: d.now}
	if w.Claimed(d.now) {
		x.Lease = w.Lease
	}
	d.a.Waits = append(d.a.Waits, x)
	d.a.Waits = d.a.Waits[max(0, len(d.a.Waits)-maxWaits):]
}

// pass: from now on another wake stands for what a wake stood for.
func (d *decision) pass(from, to uint64) {
	for i := range d.a.Waits {
		if x := &d.a.Waits[i]; x.Wake == from {
			x.Wake, x.Lease = to, time.Time{}
		}
	}
}

// settled: what the worker had is sent, or given up. It gives what that stood for.
func (d *decision) settled(w, claimed session.Wake, v session.Verdict) (done []session.Wait) {
	kept := d.a.Waits[:0]
	for _, x := range d.a.Waits {
		if x.Wake == w.Serial && !x.Lease.Equal(claimed.Lease) {
			done = append(done, x)
			if v != session.Sent {
				continue
			}
			if x.Read {
				continue
			}
			x.Wake, x.Lease, x.At = 0, time.Time{}, d.now
		}
		kept = append(kept, x)
	}
	d.a.Waits = kept
	return done
}

// waits gives what is still of use: of wakes that are owed, or were sent lately.
func (d *decision) waits() []session.Wait {
	return slices.DeleteFunc(d.a.Waits, func(x session.Wait) bool {
		if x.Wake == 0 {
			return d.now.Sub(x.At) >= joinFor && d.a.Endpoints[x.Endpoint].Expected.Since.IsZero()
		}
		_, _, owed := d.wake(x.Endpoint, x.Wake)
		return !owed
	})
}

// read: rule r, the chat was read on a device. What is owed to others for it, up to
// the stanza that is named, is not needed.
func (d *decision) read() {
	d.say("r", session.Quiet, session.Nothing, session.Address{}, "read on this device")
	for _, addr := range d.addresses(func(ep session.Endpoint) bool { return ep.Owner != d.e.Session }) {
		d.unneeded(addr, d.upTo(addr), "read on another device")
	}
}

// take: rule r, the call was taken or refused on a device.
func (d *decision) take() {
	d.say("r", session.Quiet, session.Nothing, session.Address{}, "the call was answered on this device")
	d.end(takenCall)
	for _, addr := range d.addresses(all) {
		d.unneeded(addr, len(d.a.Waits), "answered on another device")
	}
}

// retracted: the caller gave up. A device that does not ring yet is told of a call
// that was missed.
func (d *decision) retracted() {
	d.say("r", session.Quiet, session.Nothing, session.Address{}, "the caller gave up")
	d.end(endedCall)
	for _, addr := range d.addresses(all) {
		rules := make(map[string]int)
		for _, x := range d.a.Waits {
			if k, w, ok := d.wake(addr, x.Wake); ok && d.is(x, addr) && k.Class.Rings() && !d.sending(x, w) {
				rules[w.Rule] += x.Count
			}
		}
		d.unneeded(addr, len(d.a.Waits), "the caller gave up")
		for rule, n := range rules {
			d.owe(rule, addr, session.Message, n)
		}
	}
}

// untie: a stanza is not owed any more; where it is not known which one it was, the
// wake is not taken back for any of them.
func (d *decision) untie(w session.Wake) {
	of := d.of()
	mine := func(x session.Wait) bool {
		id := session.InArchive(of.key)
		return x.Wake == w.Serial && (id != "" && x.Stanza == id || of.tag != "" && x.Tag == of.tag)
	}
	if i := slices.IndexFunc(d.a.Waits, mine); i >= 0 {
		d.a.Waits = slices.Delete(d.a.Waits, i, i+1)
		return
	}
	d.a.Waits = slices.DeleteFunc(d.a.Waits, func(x session.Wait) bool { return x.Wake == w.Serial })
}

// is reports whether a wait is of the chat that the event is about.
func (d *decision) is(x session.Wait, addr session.Address) bool {
	return x.Endpoint == addr && x.Chat == d.e.Chat
}

// sending reports whether a worker has what is waited for.
func (d *decision) sending(x session.Wait, w session.Wake) bool {
	return w.Claimed(d.now) && !x.Lease.Equal(w.Lease)
}

// upTo gives how many of the waits are read: all, or those up to the stanza that
// was named, where it is among them.
func (d *decision) upTo(addr session.Address) int {
	id := session.InArchive(d.e.Key)
	for i, x := range d.a.Waits {
		if d.is(x, addr) && (id != "" && x.Stanza == id || d.e.Tag != "" && x.Tag == d.e.Tag) {
			return i + 1
		}
	}
	return len(d.a.Waits)
}

// unneeded takes from what is owed to an endpoint what the event makes unneeded, of
// the first n waits.
func (d *decision) unneeded(addr session.Address, n int, why string) {
	if d.e.Chat == "" {
		return
	}
	var late, kept []session.Wait
	less := make(map[uint64]int)
	for i, x := range d.a.Waits {
		if i >= n || !d.is(x, addr) {
			kept = append(kept, x)
			continue
		}
		k, w, ok := d.wake(addr, x.Wake)
		switch {
		case ok && d.e.Kind == session.Retracted && !k.Class.Rings():
			kept = append(kept, x) // it tells of a call that was missed
		case ok && !d.sending(x, w):
			less[x.Wake] += x.Count
		case (ok || x.Wake == 0) && !x.Read:
			late = append(late, x)
			if x.Read = true; ok && d.e.Kind != session.Retracted {
				kept = append(kept, x)
			}
		case x.Read:
			kept = append(kept, x)
		}
	}
	d.a.Waits = kept
	for c := session.Silent; c < session.NumClasses; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		if w, ok := d.a.Pending[k]; ok && less[w.Serial] > 0 {
			d.lower(k, w, less[w.Serial], why)
		}
	}
	for _, x := range late {
		text := why + "; too late, it is being sent"
		if x.Wake == 0 {
			text = why + "; too late, it was sent " + d.now.Sub(x.At).Round(time.Second).String() + " ago"
		}
		d.say("r", session.TooLate, x.Class, addr, text)
		if x.Wake == 0 && d.e.Kind != session.Retracted {
			d.fewer(addr, x.Count)
		}
	}
}

// lower has a wake stand for n fewer stanzas, and takes it back if none is left.
func (d *decision) lower(k session.WakeKey, w session.Wake, n int, why string) {
	if w.Count -= n; w.Count > 0 {
		d.a.Pending[k] = w
		d.say("r", session.Quiet, k.Class, k.Address, why+"; the wake stands for others too")
		return
	}
	delete(d.a.Pending, k)
	d.unopened(k.Address, k.Class)
	d.say("r", session.Withdrew, k.Class, k.Address, why)
}

const (
	overCall  = "over " // a call for which nobody rings any more
	takenCall = overCall + "taken "
	endedCall = overCall + "ended "
)

// end remembers that a call is over.
func (d *decision) end(how string) {
	if d.e.Chat != "" && !d.was(how, d.e.Chat) {
		d.a.Seen = append(d.a.Seen, session.Sighting{Key: how + d.e.Chat, At: d.now})
	}
}

// over reports whether a call is.
func (d *decision) over(call string) bool { return d.was(takenCall, call) || d.was(endedCall, call) }

// taken reports whether what is unread is one call that was answered elsewhere.
func (d *decision) taken(u session.Unread) bool { return u.Count <= 1 && d.was(takenCall, u.Chat) }

func (d *decision) was(how, call string) bool {
	return call != "" && slices.ContainsFunc(d.a.Seen, func(s session.Sighting) bool { return s.Key == how+call })
}
