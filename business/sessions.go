package business

import (
	"rouse/session"
)

// session applies an event of one session.
func (d *decision) session() {
	e := d.e
	switch e.Kind {
	case session.End:
		d.ended()
		return
	case session.PictureRow:
		d.row()
		return
	case session.StoredRow:
		d.stored()
		return
	}

	s, known := d.a.Sessions[e.Session]
	if e.Kind == session.Bind {
		s, known = session.Session{Resource: e.Resource, Client: e.Client}, true
	}
	if !known {
		s = session.Session{Resource: e.Resource, Client: e.Client}
	}
	if e.N != 0 {
		s.Epoch, s.Counter = e.Epoch, e.N
	}
	s.Told, s.Out = e.Told, max(s.Out, e.Out)

	switch e.Kind {
	case session.Published:
		d.a.Sessions[e.Session] = s
		d.published()
		return
	case session.Offline: // from the queue of a session that dies
		d.a.Sessions[e.Session] = s
		d.returned()
		return
	case session.Bind:
		d.a.Sessions[e.Session] = s
		d.adopt(s)
		d.say("", session.Quiet, session.Nothing, session.Address{}, "logged in")
		return
	case session.Read:
		d.a.Sessions[e.Session] = s
		d.read()
		return
	case session.Taken:
		d.a.Sessions[e.Session] = s
		d.take()
		return
	case session.CSI:
		s.State = e.State
		d.say("", session.Quiet, session.Nothing, session.Address{}, "the client says it is "+e.State.String())
	case session.Enable:
		d.a.Sessions[e.Session] = s
		d.enable()
		return
	case session.Delay:
		s.State, s.Acked = session.Delayed, max(s.Acked, e.Acked)
		s = d.unread("a1", s)
	case session.Late:
		s.State = session.Delayed
		s = d.stanza("a1", s)
	case session.Hibernate:
		s.State, s.Acked = session.Hibernated, max(s.Acked, e.Acked)
		s = d.unread("a2", s)
	case session.Queue:
		s.State = session.Hibernated
		s = d.stanza("a3", s)
	case session.Heard:
		s.State = e.State
		s = d.back(s, "", "heard from again")
	case session.Resume:
		s.State = e.State
		s = d.back(s, "a4", "resumed")
	}
	d.a.Sessions[e.Session] = s
}

// touch notes that a session is there, for the sweep at the picture's end.
func (d *decision) touch(s session.Session) {
	s.Told = d.e.Told
	d.a.Sessions[d.e.Session] = s
}

// back: the client is there again. What was owed to its endpoints is not needed,
// and what it has not acknowledged may wake again in its next sleep, whatever was
// told of it in this one.
func (d *decision) back(s session.Session, rule, why string) session.Session {
	s.Acked = max(s.Acked, d.e.Acked)
	s.Covered = voided(s)
	d.say(rule, session.Quiet, session.Nothing, session.Address{}, why)
	for _, addr := range d.addresses(ownedBy(d.e.Session)) {
		d.here(rule, addr, why)
		d.untold(addr)
	}
	return s
}

// voided is the coverage that is left after a sign of life: up to what the client acknowledged.
func voided(s session.Session) session.Coverage {
	for c := range s.Covered {
		s.Covered[c] = min(s.Covered[c], s.Acked)
	}
	return s.Covered
}

// ended: the session is gone, and with it the owner of its endpoints (rule a4).
// They keep its name: ejabberd may report the end of a session's old process, and
// only then that the new one has resumed it.
func (d *decision) ended() {
	e := d.e
	delete(d.a.Sessions, e.Session)
	d.a.Ended = append(d.a.Ended, session.Ending{Session: e.Session, Epoch: e.Epoch, Counter: e.N, At: d.now})
	why := "session ended"
	if e.Reason != "" {
		why += ": " + e.Reason
	}
	d.say("a4", session.Quiet, session.Nothing, session.Address{}, why)
}

// stanza wakes for one stanza to a session that sleeps (rules a1 and a3).
func (d *decision) stanza(rule string, s session.Session) session.Session {
	e := d.e
	if !e.Class.Wakes() {
		d.say(rule, session.Quiet, e.Class, session.Address{}, "nothing that is worth a wake")
		return s
	}
	if d.covered(rule, s, e.Class, e.Out) {
		return s
	}
	list := d.owned(rule, e.Class)
	for _, addr := range list {
		d.wakeFor(rule, e.Key, addr, e.Class, max(e.Count, 1))
	}
	if len(list) == 0 {
		return s
	}
	return cover(s, e.Class, e.Out)
}

// unread wakes for what is sent and not acknowledged as the session falls asleep
// (rules a1 and a2): each endpoint once, for the most important of what neither a
// wake of this sleep covers nor another report told it of.
func (d *decision) unread(rule string, s session.Session) session.Session {
	var open []session.Unread
	best, last := session.Nothing, uint64(0)
	for _, u := range d.e.Unread {
		if u.Class.Rings() {
			s = d.ringLate(rule, s, u)
			if d.taken(u) {
				continue
			}
			u.Class = session.Message // it rang when it was proposed, or rings now: here it is a missed call
		}
		if u.Class.Wakes() && u.Last > s.Covered[u.Class] {
			open = append(open, u)
			best, last = max(best, u.Class), max(last, u.Last)
		}
	}
	if best == session.Nothing {
		why := "nothing unread that is worth a wake"
		if len(d.e.Unread) > 0 {
			why = "what is unread was covered by an earlier wake"
		}
		d.say(rule, session.Quiet, session.Nothing, session.Address{}, why)
		return s
	}
	list := d.owned(rule, best)
	for _, addr := range list {
		u := d.untoldOf(open, addr, best)
		d.about = ofUnread(u)
		d.wakeFor(rule, u.Key, addr, u.Class, u.Count)
	}
	if d.about = (stanza{}); len(list) == 0 {
		return s
	}
	return cover(s, best, last)
}

// untoldOf picks of what is unread the most important that an endpoint is to be told
// of and was not, and counts all such. If the last of a class was told, so
// were all before it; then it is that one.
func (d *decision) untoldOf(open []session.Unread, addr session.Address, most session.Class) session.Unread {
	var best, told session.Unread
	count := 0
	for _, u := range open {
		if u.Class == most && told.Count == 0 {
			told, told.Count = u, 1
		}
		if d.seen(u.Key, addr) || d.refused(d.a.Endpoints[addr], u.Class, ofUnread(u)) != "" {
			continue
		}
		count += max(u.Count, 1)
		if u.Class > best.Class || u.Class == best.Class && u.Last > best.Last {
			best = u
		}
	}
	if count == 0 {
		return told
	}
	best.Count = count
	return best
}

// covered says so if an earlier wake of this sleep stands for the stanza.
func (d *decision) covered(rule string, s session.Session, class session.Class, at uint64) bool {
	if at == 0 || at > s.Covered[class] {
		return false
	}
	list := d.addresses(ownedBy(d.e.Session))
	if len(list) == 0 {
		list = append(list, session.Address{})
	}
	for _, addr := range list {
		d.say(rule, session.Covered, class, addr, "an earlier wake of this sleep covers it")
	}
	return true
}

// ringLate wakes for a call that was left to this session while it seemed to be
// there, if somebody may still be waiting for an answer.
func (d *decision) ringLate(rule string, s session.Session, u session.Unread) session.Session {
	if u.Last != 0 && u.Last <= s.Covered[session.Call] {
		return s
	}
	for _, addr := range d.addresses(ownedBy(d.e.Session)) {
		if d.rings(u.Key, addr) && !d.over(u.Chat) {
			d.about = ofUnread(u)
			d.wakeFor(rule, u.Key, addr, session.Call, 1)
			s.Covered[session.Call] = max(s.Covered[session.Call], u.Last) // of calls alone: they keep to themselves
		}
	}
	d.about = stanza{}
	return s
}

// cover notes that a wake of a class stands for everything of that class or a
// lower one up to an outbound count.
func cover(s session.Session, class session.Class, at uint64) session.Session {
	for c := range class + 1 {
		s.Covered[c] = max(s.Covered[c], at)
	}
	return s
}

// owned gives the endpoints of the session, and says so if there are none.
func (d *decision) owned(rule string, class session.Class) []session.Address {
	list := d.addresses(ownedBy(d.e.Session))
	if len(list) == 0 {
		d.say(rule, session.Quiet, class, session.Address{}, "the session has no push endpoint")
	}
	return list
}
