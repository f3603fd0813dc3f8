package oracle

import (
	"slices"
	"strings"
)

// Happen decides what a server tells. Nil: it is a repeat, or nothing is to be said.
func (a *Account) Happen(e Event, now int64) []Decision {
	a.begin(now)
	if a.repeated(e) {
		return nil
	}
	a.about = about{e.Key, e.Tag, e.Chat, e.Stranger}
	a.prune()
	if e.Session == "" {
		if e.N != 0 {
			a.reported = append(a.reported, reported{e.Node, e.Epoch, e.N, now})
		}
		a.ofAccount(e)
	} else {
		a.ofSession(e)
	}
	a.release()
	a.absences()
	return a.said()
}

// later reports whether an event comes after another of the same reporter.
func later(e Event, epoch, n int) bool { return e.Epoch > epoch || e.Epoch == epoch && e.N > n }

func (a *Account) repeated(e Event) bool {
	if e.N == 0 {
		return false
	}
	if e.Session == "" {
		return slices.ContainsFunc(a.reported, func(r reported) bool { return r.who == e.Node && !later(e, r.epoch, r.n) })
	}
	if s, ok := a.sessions[e.Session]; ok {
		if later(e, s.epoch, s.n) {
			return false
		}
		if e.Kind == "session" {
			s.node, s.batch = e.Node, e.Batch // it is there
			return e.N != s.n || e.Epoch != s.epoch
		}
		return true
	}
	return slices.ContainsFunc(a.gone, func(r reported) bool {
		return r.who == e.Session && a.now-r.at < ends && !later(e, r.epoch, r.n)
	})
}

func (a *Account) ofAccount(e Event) {
	count := max(e.Count, 1)
	switch e.Kind {
	case "archived", "subscribe": // rule b
		for _, name := range a.worth("b", e.Class) {
			s := a.sessions[a.devices[name].owner]
			silentSinceRestart := s != nil && ours(s.node, e.Node) && s.epoch < e.Epoch
			if s != nil && s.state != Delayed && !silentSinceRestart {
				a.say("b", "quiet", e.Class, name)
				continue
			}
			a.tell("b", e.Key, name, e.Class, count, e.Published)
		}
	case "offline", "room": // rule c
		for _, name := range a.worth("c", e.Class) {
			a.tell("c", e.Key, name, e.Class, count, e.Published)
		}
	case "call": // rule b'
		for _, name := range a.worth("b'", Call) {
			d := a.devices[name]
			if s := a.sessions[d.owner]; s != nil && s.state == Active && slices.Contains(e.Heard, d.owner) {
				m := a.of(name)
				m.left = a.add(m.left, e.Key, left)
				a.say("b'", "quiet", Call, name)
				continue
			}
			a.tell("b'", e.Key, name, Call, 1, e.Published)
		}
	case "enable":
		a.enable(e)
	case "disable":
		if _, ok := a.devices[e.Device]; ok {
			a.withdraw("", e.Device)
			delete(a.devices, e.Device)
		}
	case "published":
		a.published(e)
	case "endpoint":
		a.stored(e)
	case "publish":
		d := a.devices[e.Device]
		if d == nil {
			d = &device{}
			a.devices[e.Device] = d
		}
		d.dead = ""
		if e.Class != Nothing {
			a.tell("p", e.Key, e.Device, e.Class, count, e.Published)
		}
	case "gone":
		if _, ok := a.devices[e.Device]; ok {
			a.kill(e.Device, e.Reason)
		}
	case "retracted":
		a.retracted(e)
	case "renew":
		if d, ok := a.devices[e.Device]; ok {
			d.dead = ""
		}
	case "filter":
		a.choose(e)
	case "deleted":
		*a = Account{Rules: a.Rules, sessions: make(map[string]*session), devices: make(map[string]*device), memories: make(map[string]*memory), now: a.now, last: a.last}
	}
}

// worth gives all devices for a stanza that is worth a wake.
func (a *Account) worth(rule string, c Class) []string {
	if c == Nothing {
		return nil
	}
	list := a.names(nil)
	if len(list) == 0 {
		a.say(rule, "quiet", c, "")
	}
	return list
}

func (a *Account) ofSession(e Event) {
	switch e.Kind {
	case "ended":
		delete(a.sessions, e.Session) // its devices keep its name
		a.gone = append(a.gone, reported{e.Session, e.Epoch, e.N, a.now})
		return
	case "session":
		a.row(e)
		return
	case "endpoint":
		a.stored(e)
		return
	}
	s := a.sessions[e.Session]
	if s == nil || e.Kind == "bind" {
		s = &session{resource: e.Resource, client: e.Client}
		a.sessions[e.Session] = s
	}
	if e.N != 0 {
		s.epoch, s.n = e.Epoch, e.N
	}
	s.node, s.batch, s.out = e.Node, e.Batch, max(s.out, e.Out)
	switch e.Kind {
	case "bind":
		for _, name := range a.names(func(d *device) bool { return same(d, s) }) {
			a.devices[name].owner = e.Session
			a.here("", name)
		}
	case "read":
		a.read(e)
	case "taken":
		a.take(e)
	case "csi":
		s.state = e.State
	case "enable":
		a.enable(e)
	case "delayed":
		s.state, s.acked = Delayed, max(s.acked, e.Acked)
		a.unread("a1", e, s)
	case "hibernated":
		s.state, s.acked = Hibernated, max(s.acked, e.Acked)
		a.unread("a2", e, s)
	case "late":
		s.state = Delayed
		a.stanza("a1", e, s)
	case "queued":
		s.state = Hibernated
		a.stanza("a3", e, s)
	case "heard":
		s.state = e.State
		a.back("", e, s)
	case "resumed":
		s.state = e.State
		a.back("a4", e, s)
	case "offline":
		a.returned(e, s)
	case "published":
		a.published(e)
	}
}

// same reports whether a device and a session are of one client.
func same(d *device, s *session) bool {
	if d.client == "" && s.client == "" {
		return d.resource != "" && d.resource == s.resource
	}
	return d.client == s.client
}

func (a *Account) enable(e Event) {
	d := a.devices[e.Device]
	if d == nil {
		d = &device{}
		a.devices[e.Device] = d
	}
	d.owner, d.resource, d.client, d.dead = e.Session, e.Resource, e.Client, e.Reason
	d.node, d.batch = e.Node, e.Batch
	if e.Filter != nil {
		d.filter = e.Filter
	}
	a.here("", e.Device)
	if e.Reason != "" {
		a.say("", "dead", Nothing, e.Device)
	}
}

// covered reports whether a wake of this sleep stands for what went out as number at.
func (s *session) covered(c Class, at int) bool {
	return slices.ContainsFunc(s.told, func(t told) bool {
		return at <= t.upTo && (c == t.class || c < t.class && !t.alone)
	})
}

// stanza: one more for a session that sleeps.
func (a *Account) stanza(rule string, e Event, s *session) {
	switch list := a.ownedBy(e.Session); {
	case e.Class == Nothing:
	case e.Out != 0 && s.covered(e.Class, e.Out):
		if len(list) == 0 {
			list = []string{""}
		}
		for _, name := range list {
			a.say(rule, "covered", e.Class, name)
		}
	case len(list) == 0:
		a.say(rule, "quiet", e.Class, "")
	default:
		for _, name := range list {
			a.tell(rule, e.Key, name, e.Class, max(e.Count, 1), e.Published)
		}
		s.told = append(s.told, told{e.Class, e.Out, false})
	}
}

// unread: the session falls asleep with stanzas that nobody acknowledged. Each of
// its devices is woken once for all of which it was not told.
func (a *Account) unread(rule string, e Event, s *session) {
	devices := a.ownedBy(e.Session)
	var open []Unread
	for _, u := range e.Unread {
		if u.Class == Call {
			a.ring(rule, u, s, devices, e.Published)
			if u.Count <= 1 && a.isOver(u.Chat, true) {
				continue // answered elsewhere
			}
			u.Class = Message // a missed call
		}
		if u.Class != Nothing && !s.covered(u.Class, u.Last) {
			open = append(open, u)
		}
	}
	if len(open) == 0 {
		return
	}
	most := slices.MaxFunc(open, func(x, y Unread) int { return int(x.Class - y.Class) }).Class
	if len(devices) == 0 {
		a.say(rule, "quiet", most, "")
		return
	}
	last := 0
	for _, u := range open {
		last = max(last, u.Last)
	}
	for _, name := range devices {
		d := a.devices[name]
		var best *Unread
		count := 0
		for i, u := range open {
			if a.knows(a.of(name).keys, u.Key) || a.refused(d, u.Class, about{u.Key, u.Tag, u.Chat, u.Stranger}) {
				continue
			}
			count += max(u.Count, 1)
			if best == nil || u.Class > best.Class || u.Class == best.Class && u.Last > best.Last {
				best = &open[i]
			}
		}
		if best == nil { // it is said of the first of the most important
			i := slices.IndexFunc(open, func(u Unread) bool { return u.Class == most })
			best, count = &open[i], 1
		}
		a.about = about{best.Key, best.Tag, best.Chat, best.Stranger}
		a.tell(rule, best.Key, name, best.Class, count, e.Published)
	}
	a.about = about{}
	s.told = append(s.told, told{most, last, false})
}

// ring: a call was left to a session that turns out to be asleep. It rings if
// somebody may still be waiting.
func (a *Account) ring(rule string, u Unread, s *session, devices []string, published []string) {
	if u.Last != 0 && s.covered(Call, u.Last) {
		return
	}
	rings := false
	for _, name := range devices {
		for _, l := range a.of(name).left {
			if u.Key != "" && l.key == u.Key && a.now-l.at < ringing && !a.isOver(u.Chat, true) && !a.isOver(u.Chat, false) {
				rings = true
				was := a.about
				a.about = about{u.Key, u.Tag, u.Chat, u.Stranger}
				a.tell(rule, u.Key, name, Call, 1, published)
				a.about = was
			}
		}
	}
	if rings {
		s.told = append(s.told, told{Call, u.Last, true})
	}
}

// back: the client of a session gave a sign of life.
func (a *Account) back(rule string, e Event, s *session) {
	s.acked = max(s.acked, e.Acked)
	for i := range s.told {
		s.told[i].upTo = min(s.told[i].upTo, s.acked)
	}
	for _, name := range a.ownedBy(e.Session) {
		a.here(rule, name)
		a.of(name).keys, a.of(name).rang = nil, nil
	}
}

// returned: a stanza comes out of the queue of a session that died (rule c).
func (a *Account) returned(e Event, s *session) {
	c := e.Class
	if c == Call {
		a.ring("c", Unread{Key: e.Key, Tag: e.Tag, Chat: e.Chat, Stranger: e.Stranger, Last: e.Out}, s, a.ownedBy(e.Session), e.Published)
		c = Message
	}
	for _, name := range a.worth("c", c) {
		owned := a.devices[name].owner == e.Session
		switch {
		case owned && e.Out != 0 && s.covered(c, e.Out):
			a.say("c", "covered", c, name)
		case !owned && (e.Class == Call || strings.HasPrefix(e.Key, "s:")):
			a.say("c", "covered", c, name)
		default:
			a.tell("c", e.Key, name, c, max(e.Count, 1), e.Published)
		}
	}
}

// published: the server's own push module did it, while nobody could ask us.
func (a *Account) published(e Event) {
	if s := a.sessions[e.Session]; s != nil && e.Out != 0 {
		s.told = append(s.told, told{e.Class, e.Out, false})
	}
	if a.devices[e.Device] == nil {
		return
	}
	if a.knows(a.of(e.Device).keys, e.Key) {
		var w *Wake // of that class, or of the next more important one
		for c := e.Class; w == nil && (c == e.Class || c < Call); c++ {
			w = a.find(e.Device, func(w *Wake) bool { return !w.Again && !w.taken(a.now) && w.Class == c })
		}
		if w != nil {
			a.untie(w)
			if w.Count--; w.Count == 0 {
				a.drop(w)
			}
		}
	}
	a.note(e.Device, e.Key, e.Class)
	a.say("", "covered", e.Class, e.Device)
}
