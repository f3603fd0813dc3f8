package business

import (
	"slices"
	"time"

	"rouse/session"
)

// within gives those of the times that are no longer ago than d. The list that is
// passed stays as it is: accounts share it with their clones.
func within(list []time.Time, now time.Time, d time.Duration) []time.Time {
	return slices.DeleteFunc(slices.Clone(list), func(t time.Time) bool { return now.Sub(t) >= d })
}

// after gives the first time, from now on, at which no more than most of the
// times, that one included, are in a span of d.
func after(list []time.Time, most int, now time.Time, d time.Duration) time.Time {
	if recent := within(list, now, d); most > 0 && len(recent) >= most {
		if at := recent[len(recent)-most].Add(d); at.After(now) && !at.After(now.Add(d)) { // a clock may have been set back
			return at
		}
	}
	return now
}

// Hold says until when a wake that is due has to wait, for devices that take only
// so many silent ones: past the limit Apple holds them back by itself, and then
// the device gets none for long; and while the user wants quiet, which may have come
// since it was decided. It is zero for a wake that may go.
func Hold(a session.Account, key session.WakeKey, p Policy, now time.Time) (until time.Time, why string) {
	ep := a.Endpoints[key.Address]
	at := now
	if !key.Class.Rings() {
		at = calm([2]*session.Filter{a.Filter, ep.Filter}, p, now)
	}
	if at.After(now) {
		return at, "waits: the user wants quiet"
	}
	if key.Class.Importance().Push == session.Background {
		at = after(ep.Silents, p.Silents, now, time.Hour)
	}
	if at.After(now) {
		return at, "waits: the device got as many silent wakes in an hour as it takes"
	}
	return time.Time{}, ""
}

// noted keeps of a wake that was sent what Hold looks at.
func (d *decision) noted(key session.WakeKey) {
	ep, ok := d.a.Endpoints[key.Address]
	if !ok || key.Class.Importance().Push != session.Background || d.policy.Silents <= 0 {
		return
	}
	ep.Silents = append(within(ep.Silents, d.now, time.Hour), d.now)
	ep.Silents = ep.Silents[max(0, len(ep.Silents)-d.policy.Silents):]
	d.a.Endpoints[key.Address] = ep
}

// calls says when another call may ring, and counts it.
func calls(ep session.Endpoint, p Policy, now time.Time) (time.Time, session.Endpoint) {
	at := after(ep.Calls, p.Calls, now, time.Minute)
	if p.Calls > 0 {
		ep.Calls = append(within(ep.Calls, now, time.Minute), at)
		ep.Calls = ep.Calls[max(0, len(ep.Calls)-p.Calls):]
	}
	return at, ep
}

// unrung takes back a call that was to wait until the minute of an earlier one had
// passed, and puts that one in its place again.
func unrung(calls []time.Time, now time.Time) []time.Time {
	n := len(calls) - 1
	if n < 0 || !calls[n].After(now) {
		return calls
	}
	return append([]time.Time{calls[n].Add(-time.Minute)}, calls[:n]...)
}
