package business

import (
	"slices"
	"strings"

	"rouse/session"
)

// account applies an event that is the account's, not a session's.
func (d *decision) account() {
	switch d.e.Kind {
	case session.Archive, session.Subscribe:
		d.archived()
	case session.Offline, session.Room:
		d.offline()
	case session.Propose:
		d.call()
	case session.Retracted:
		d.retracted()
	case session.Enable:
		d.enable()
	case session.Disable:
		d.disable()
	case session.Published:
		d.published()
	case session.StoredRow:
		d.stored()
	case session.Publish:
		d.publish()
	case session.Gone:
		d.gone()
	case session.Renew:
		d.renew()
	case session.Choose:
		d.choose()
	case session.Delete:
		d.a = session.Account{}.Clone()
	}
}

// archived: rule b, endpoints of nobody who is there or whose queue wakes them.
// Of a session that was not heard of since its module started again nobody knows
// whether it is there, until the picture has come.
func (d *decision) archived() {
	d.eachFor("b", func(s session.Session) string {
		if s.State == session.Delayed || session.Comparable(s.Told.Node, d.e.Node) && s.Epoch < d.e.Epoch {
			return ""
		}
		return "its session is " + s.State.String()
	})
}

// offline: rule c, all endpoints.
func (d *decision) offline() {
	d.eachFor("c", func(session.Session) string { return "" })
}

// call: rule b', all endpoints, except where the user is certainly reached.
func (d *decision) call() {
	d.e.Class = session.Call
	for _, addr := range d.worth("b'") {
		ep := d.a.Endpoints[addr]
		s, ok := d.a.Sessions[ep.Owner]
		if ok && s.State == session.Active && slices.Contains(d.e.Heard, ep.Owner) {
			d.sight(left(d.e.Key), addr)
			d.say("b'", session.Quiet, session.Call, addr, "its session is active and was heard from in the last 10 s")
			continue
		}
		d.wakeFor("b'", d.e.Key, addr, session.Call, 1)
	}
}

// returned: rule c, for a stanza out of the queue of a session that died. Its own
// wakes cover what they cover; the endpoints of others were decided when the stanza
// was archived, or the call proposed. A call rings only while somebody may wait.
func (d *decision) returned() {
	s := d.a.Sessions[d.e.Session]
	class := d.e.Class
	decided := "decided when the stanza was archived"
	elsewhere := strings.HasPrefix(d.e.Key, "s:")
	if class.Rings() {
		s = d.ringLate("c", s, session.Unread{Key: d.e.Key, Tag: d.e.Tag, Chat: d.e.Chat, Stranger: d.e.Stranger, Last: d.e.Out})
		d.a.Sessions[d.e.Session] = s
		class, elsewhere, decided = session.Message, true, "decided when the call was proposed"
		d.e.Class = class
	}
	for _, addr := range d.worth("c") {
		owned := d.a.Endpoints[addr].Owner == d.e.Session
		switch {
		case owned && d.e.Out != 0 && d.e.Out <= s.Covered[class]:
			d.say("c", session.Covered, class, addr, "an earlier wake of this sleep covers it")
		case !owned && elsewhere:
			d.say("c", session.Covered, class, addr, decided)
		default:
			d.wakeFor("c", d.e.Key, addr, class, max(d.e.Count, 1))
		}
	}
}

// publish: rule p, the endpoint that a server published to.
func (d *decision) publish() {
	addr := d.e.Address
	ep, ok := d.a.Endpoints[addr]
	if !ok {
		ep.Enabled = d.now
	}
	ep.Dead = "" // the caller knows that the registration lives
	d.a.Endpoints[addr] = ep
	d.wakeFor("p", d.e.Key, addr, d.e.Class, max(d.e.Count, 1))
}

// eachFor wakes every endpoint but those for whose session there is a reason not to.
func (d *decision) eachFor(rule string, unless func(session.Session) string) {
	for _, addr := range d.worth(rule) {
		if s, ok := d.a.Sessions[d.a.Endpoints[addr].Owner]; ok {
			if why := unless(s); why != "" {
				d.say(rule, session.Quiet, d.e.Class, addr, why)
				continue
			}
		}
		d.wakeFor(rule, d.e.Key, addr, d.e.Class, max(d.e.Count, 1))
	}
}

// worth gives all endpoints if the stanza is worth a wake.
func (d *decision) worth(rule string) []session.Address {
	if !d.e.Class.Wakes() {
		d.say(rule, session.Quiet, d.e.Class, session.Address{}, "nothing that is worth a wake")
		return nil
	}
	list := d.addresses(all)
	if len(list) == 0 {
		d.say(rule, session.Quiet, d.e.Class, session.Address{}, "the account has no push endpoint")
	}
	return list
}

// published: the server's own push module woke an endpoint while we were away.
func (d *decision) published() {
	e := d.e
	if s, ok := d.a.Sessions[e.Session]; ok && e.Out != 0 {
		d.a.Sessions[e.Session] = cover(s, e.Class, e.Out)
	}
	if _, ok := d.a.Endpoints[e.Address]; !ok {
		return
	}
	if d.seen(e.Key, e.Address) {
		d.less(e.Address, e.Class)
	}
	d.see(e.Key, e.Class, e.Address)
	d.say("", session.Covered, e.Class, e.Address, "the server itself published while rouse was away")
}

// less takes a stanza of a class out of what nobody sends yet.
func (d *decision) less(addr session.Address, class session.Class) {
	for c := class; c == class || c < session.Call; c++ {
		k := session.WakeKey{Address: addr, Class: c}
		w, ok := d.a.Pending[k]
		if !ok || w.Claimed(d.now) || d.repeats(addr, w) {
			continue
		}
		d.untie(w)
		if w.Count--; w.Count > 0 {
			d.a.Pending[k] = w
		} else {
			delete(d.a.Pending, k)
			d.unopened(addr, c)
		}
		return
	}
}

// seen reports whether the stanza with that key was decided for the endpoint.
func (d *decision) seen(key string, addr session.Address) bool {
	if key == "" {
		return false
	}
	for _, s := range d.a.Seen {
		if s.Key == key && slices.Contains(s.Woken, addr) {
			return true
		}
	}
	return false
}

// see remembers it.
func (d *decision) see(key string, class session.Class, addr session.Address) {
	d.sight(key, addr)
	if class.Rings() {
		d.sight(ringing(key, class), addr)
	}
}

// untold forgets of which stanzas an endpoint was told: its client is back, and
// what it does not acknowledge is told again in its next sleep.
func (d *decision) untold(addr session.Address) {
	for i, s := range d.a.Seen {
		if !strings.HasPrefix(s.Key, leftTo) && !strings.HasPrefix(s.Key, overCall) {
			d.a.Seen[i].Woken = slices.DeleteFunc(s.Woken, func(a session.Address) bool { return a == addr })
		}
	}
	d.a.Seen = slices.DeleteFunc(d.a.Seen, func(s session.Sighting) bool { return len(s.Woken) == 0 && !strings.HasPrefix(s.Key, overCall) })
}

// ringing is the key under which a wake of that class is looked for. A call that
// was told as a message has not rung: the picture may tell of it before it is
// reported itself.
func ringing(key string, class session.Class) string {
	if class.Rings() && key != "" {
		return "ring " + key
	}
	return key
}

const leftTo = "left "

// left is the key of a call that was left to a session to tell of.
func left(key string) string {
	if key == "" {
		return ""
	}
	return leftTo + key
}

// rings reports whether a call that was left to a session, which is found asleep
// now, may still ring.
func (d *decision) rings(key string, addr session.Address) bool {
	for _, s := range d.a.Seen {
		if key != "" && s.Key == left(key) && slices.Contains(s.Woken, addr) {
			return d.now.Sub(s.At) < session.CallLife
		}
	}
	return false
}

func (d *decision) sight(key string, addr session.Address) {
	if key == "" || d.seen(key, addr) {
		return
	}
	for i, s := range d.a.Seen {
		if s.Key == key {
			d.a.Seen[i].Woken = append(s.Woken, addr)
			return
		}
	}
	d.a.Seen = append(d.a.Seen, session.Sighting{Key: key, At: d.now, Woken: []session.Address{addr}})
}
