package business

import (
	"slices"
	"time"

	"rouse/session"
)

// Decide applies one event to an account. The account that is passed stays as
// it is. An event that was applied before changes nothing and gives no reasons.
func Decide(a session.Account, e session.Event, p Policy, now time.Time) (session.Account, []session.Reason) {
	d := &decision{a: a.Clone(), e: e, policy: p, now: now}
	d.forget()
	if d.applied() {
		return a, nil
	}
	d.count()
	if e.Session != "" {
		d.session()
	} else {
		d.account()
	}
	d.release()
	d.expect()
	return d.a, d.reasons
}

// decision is one event on its way through the rules.
type decision struct {
	a       session.Account
	e       session.Event
	policy  Policy
	now     time.Time
	reasons []session.Reason
	about   stanza
}

// stanza is which stanza a decision is about, where that is not the event's.
type stanza struct {
	key, tag, chat string
	stranger       bool
}

// ofUnread is the stanza that is said to be the last one unread.
func ofUnread(u session.Unread) stanza { return stanza{u.Key, u.Tag, u.Chat, u.Stranger} }

// applied reports whether the event, or a later one of its session or account,
// was applied before: batches are repeated when their answer got lost.
func (d *decision) applied() bool {
	e := d.e
	if e.N == 0 {
		return false
	}
	if e.Session == "" {
		epoch, n := d.progress()
		return before(e.Epoch, e.N, epoch, n)
	}
	if s, ok := d.a.Sessions[e.Session]; ok {
		if !session.Comparable(s.Told.Node, e.Node) || !before(e.Epoch, e.N, s.Epoch, s.Counter) {
			return false
		}
		if e.Kind == session.PictureRow {
			d.touch(s) // it is there, though the row is old
			return false
		}
		return true
	}
	for _, end := range d.a.Ended {
		if end.Session == e.Session && before(e.Epoch, e.N, end.Epoch, end.Counter) {
			return true
		}
	}
	return false
}

// before reports whether (epoch, n) is not after what was applied last.
func before(epoch, n, lastEpoch, last uint64) bool {
	return epoch < lastEpoch || epoch == lastEpoch && n <= last
}

// forget drops what is too old to matter.
func (d *decision) forget() {
	d.a.Seen = slices.DeleteFunc(d.a.Seen, func(s session.Sighting) bool { return d.now.Sub(s.At) >= joinFor })
	if n := len(d.a.Seen) - maxSightings; n > 0 {
		d.a.Seen = slices.Delete(d.a.Seen, 0, n)
	}
	d.a.Ended = slices.DeleteFunc(d.a.Ended, func(x session.Ending) bool { return d.now.Sub(x.At) >= rememberEnds })
	d.a.Waits = d.waits()
	if n := len(d.a.Ended) - maxEndings; n > 0 {
		d.a.Ended = slices.Delete(d.a.Ended, 0, n)
	}
}

// of gives the stanza that is decided.
func (d *decision) of() stanza {
	if d.about != (stanza{}) {
		return d.about
	}
	return stanza{d.e.Key, d.e.Tag, d.e.Chat, d.e.Stranger}
}

// say records what was decided about one endpoint (zero: the account).
func (d *decision) say(rule string, v session.Verdict, class session.Class, ep session.Address, why string) {
	about := d.of()
	d.reasons = append(d.reasons, session.Reason{
		At: d.now, Rule: rule, Event: d.e.Kind, Verdict: v, Class: class,
		Endpoint: ep, Session: d.e.Session, Why: why,
		Stanza: session.InArchive(about.key), Tag: about.tag,
	})
}

// addresses gives the endpoints that fit, in a fixed order.
func (d *decision) addresses(fits func(session.Endpoint) bool) []session.Address {
	var list []session.Address
	for addr, ep := range d.a.Endpoints {
		if fits(ep) {
			list = append(list, addr)
		}
	}
	slices.SortFunc(list, compare)
	return list
}

func compare(a, b session.Address) int {
	if a.Service != b.Service {
		if a.Service < b.Service {
			return -1
		}
		return 1
	}
	if a.Node < b.Node {
		return -1
	}
	if a.Node > b.Node {
		return 1
	}
	return 0
}

func ownedBy(sid string) func(session.Endpoint) bool {
	return func(ep session.Endpoint) bool { return ep.Owner == sid }
}

func all(session.Endpoint) bool { return true }
