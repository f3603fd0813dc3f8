package push

import "time"

// ProbeEvery is how often a stopped app is tried, with one wake.
const ProbeEvery = time.Minute

// Breaker stops an app whose credentials or configuration the provider refuses.
// It is a plain value; the zero Breaker lets everything through. Unavailable
// never opens it: that fault is the provider's, and the schedule handles it.
type Breaker struct {
	Open  bool
	Probe time.Time // Open: when the next wake may try
	Why   string    // Open: the reason that the provider gave last
}

// Allow reports whether a wake may be sent now. While the breaker is open that
// is one wake per ProbeEvery, and Probe of the result says when the next is.
func (b Breaker) Allow(now time.Time) (Breaker, bool) {
	if !b.Open {
		return b, true
	}
	if now.Before(b.Probe) {
		return b, false
	}
	b.Probe = now.Add(ProbeEvery)
	return b, true
}

// Record takes the result of a try into account.
func (b Breaker) Record(now time.Time, o Outcome, why string) Breaker {
	switch {
	case o.Stops():
		if !b.Open || b.Probe.Before(now) {
			b.Probe = now.Add(ProbeEvery)
		}
		b.Open, b.Why = true, why
	case o == Unavailable:
		// Says nothing about the credentials.
	default:
		b = Breaker{}
	}
	return b
}
