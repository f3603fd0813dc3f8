package gateway

import (
	"sync"
	"time"
)

// Rate is how much a sender may publish: so many a second in the long run, and so
// many at once. The zero Rate has no limit.
type Rate struct{ PerSecond, Burst int }

// maxSenders bounds the domains that are remembered. One that is forgotten starts
// with a whole burst again.
const maxSenders = 10_000

// senders are the domains that publish, or whoever else is counted, each with the time at which it would have
// published all that it did, at its rate (the generic cell rate algorithm, ITU-T
// I.371). Each process counts for itself: publishes come in over one link.
type senders struct {
	mu   sync.Mutex
	used *cache[time.Time]
	said time.Time // when the log last heard of a sender over its rate
}

func newSenders() *senders { return &senders{used: newCache[time.Time](maxSenders)} }

// take counts one publish, or says that it is one too many.
func (s *senders) take(domain string, r Rate, now time.Time) bool {
	if r.PerSecond <= 0 {
		return true
	}
	wait := s.every(domain, time.Second/time.Duration(r.PerSecond), r.Burst, now)
	return wait == 0
}

// every counts one of what a sender may do once in a gap, and burst times at once;
// or says in how long it may do it again.
func (s *senders) every(domain string, gap time.Duration, burst int, now time.Time) time.Duration {
	span := gap * time.Duration(max(burst, 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.used.get(domain)
	if !known || at.Before(now) || at.After(now.Add(span)) { // the last: the clock was set back, or the rate raised
		at = now
	}
	if at = at.Add(gap); at.After(now.Add(span)) {
		return at.Sub(now.Add(span))
	}
	s.used.put(domain, at)
	return 0
}

// speak says whether the log is to hear of it: once a minute.
func (s *senders) speak(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.said).Abs() < time.Minute {
		return false
	}
	s.said = now
	return true
}

// admits reports whether a publish may be taken from its sender now. Calls are:
// what they may do is counted for each device. So is what our own hosts publish.
func (g *Gateway) admits(p PublishRequest) bool {
	if g.cfg.Senders == nil || p.Class.Rings() || g.Reports(p.From) {
		return true
	}
	return g.within(p.From)
}

// within counts one more of a domain, or says that it is one too many.
func (g *Gateway) within(domain string) bool {
	if g.cfg.Senders == nil {
		return true
	}
	now := g.cfg.Now()
	if g.senders.take(domain, g.cfg.Senders(), now) {
		return true
	}
	if g.cfg.Observer != nil {
		g.cfg.Observer.Limited()
	}
	if g.senders.speak(now) {
		g.log.Warn("a domain publishes more than it may; what is too much is answered wait, which keeps its registrations",
			"domain", domain, "hint", "if it is in order: rules.sender_rate and rules.sender_burst")
	}
	return false
}
