package push

import "time"

// absence is a push service of third parties that nobody answers for. To find that
// out takes minutes each time, so after a few tries in a row it is asked with one
// wake now and then. A plain value; the zero absence lets everything through.
type absence struct {
	failed  int           // tries in a row that nobody answered
	wait    time.Duration // between probes; 0: everything is sent
	probe   time.Time     // when the next wake may try
	probing bool          // one does
}

const (
	absentAfter = 3    // tries without an answer
	maxAbsent   = 1000 // services that are remembered; one that is forgotten is found again
)

// allow reports whether a wake may be sent now, or when it is worth to ask again.
func (s absence) allow(now time.Time) (_ absence, again time.Time, ok bool) {
	switch {
	case s.wait == 0:
		return s, time.Time{}, true
	case s.probing:
		return s, now.Add(ProbeEvery), false
	case now.Before(s.probe):
		return s, s.probe, false
	}
	s.probing = true
	return s, time.Time{}, true
}

// silence takes a try into account that nobody answered. What was under way when
// the service was stopped says nothing new.
func (s absence) silence(now time.Time) absence {
	switch {
	case s.wait == 0:
		if s.failed++; s.failed < absentAfter {
			return s
		}
		s.wait = ProbeEvery
	case s.probing:
		s.wait = min(2*s.wait, MaxDelay)
	default:
		return s
	}
	s.probing, s.probe = false, now.Add(s.wait)
	return s
}

// heard notes how a push service took a wake. It reports whether the service is
// stopped from now on.
func (a *app) heard(now time.Time, service string, r Result) (stopped bool) {
	was, known := a.absent[service]
	switch {
	case r.Unasked && known && was.probing:
		was.probing, was.probe = false, now.Add(was.wait)
		a.absent[service] = was
		return false
	case r.Unasked:
		return false
	case !r.Absent:
		delete(a.absent, service)
		return false
	}
	if !known && len(a.absent) >= maxAbsent {
		for other := range a.absent {
			delete(a.absent, other)
			break
		}
	}
	is := was.silence(now)
	a.absent[service] = is
	return was.wait == 0 && is.wait > 0
}
