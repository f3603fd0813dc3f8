package push

import (
	"fmt"
	"time"

	"rouse/session"
)

// app is the state of one app. Workers.mu guards all but name and cfg.
type app struct {
	name string
	cfg  App

	inflight int
	services map[string]int     // sends under way by push service, where PerService
	absent   map[string]absence // push services that nobody answers for, where PerService
	breaker  Breaker
	proved   bool          // a wake was delivered: topic, environment and project are right
	took     time.Duration // what a send takes, smoothed
	moved    time.Time     // when a send last ended, or the first began
	next     time.Time     // when the next wake that finds no room is to come back
	paid     time.Time     // Rate: when all that was sent would have been, one after the other

	spoke time.Time       // the last line in the log about passing faults
	held  int             // lines that were kept back since
	unfit map[string]bool // nodes that the log has heard of
}

func newApp(name string, cfg App) *app {
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &app{name: name, cfg: cfg, services: make(map[string]int), absent: make(map[string]absence), unfit: make(map[string]bool), took: 100 * time.Millisecond}
}

// admit takes a slot for the wake, or says when it is to come back and why.
func (a *app) admit(now time.Time, j session.Job, r float64) (due time.Time, why string) {
	limit := a.cfg.Concurrency
	call := j.Key.Class.Rings()
	if call {
		limit += max(a.cfg.Concurrency/4, 1)
	}
	if a.inflight >= limit {
		if call {
			return now.Add(300 * time.Millisecond), "waits for room"
		}
		return a.pace(now), "waits for room"
	}
	if share := max(a.cfg.Concurrency/8, 1); a.cfg.PerService && a.services[j.Key.Service] >= share {
		return now.Add(5*time.Second + time.Duration(r*float64(5*time.Second))), "waits for room: its push service is slow"
	}
	var gap time.Duration
	if a.cfg.Rate > 0 && !call {
		gap = time.Second / time.Duration(a.cfg.Rate)
		if a.paid.After(now.Add(time.Second - gap)) { // a second's worth went out in the last second
			return a.queue(now, gap, gap), "waits: more in a second is not sent for the app"
		}
	}
	b, ok := a.breaker.Allow(now)
	if a.breaker = b; !ok {
		// Spread behind the probe, so that they find out together whether it went well.
		return b.Probe.Add(time.Duration(r * float64(ProbeEvery/4))), fmt.Sprintf("the app is stopped: %s", b.Why)
	}
	if s, known := a.absent[j.Key.Service]; known {
		s, again, ok := s.allow(now)
		if a.absent[j.Key.Service] = s; !ok {
			return again.Add(time.Duration(r * float64(ProbeEvery/4))), "waits: its push service does not answer"
		}
	}
	if a.inflight == 0 {
		a.moved = now
	}
	a.inflight++
	if a.paid.Before(now) {
		a.paid = now
	}
	a.paid = a.paid.Add(gap)
	if a.cfg.PerService {
		a.services[j.Key.Service]++
	}
	return time.Time{}, ""
}

// pace spreads what finds no room, one after the other, as fast as the app
// works it off. Coming back sooner would only mean being turned away again.
func (a *app) pace(now time.Time) time.Time {
	took := max(a.took, now.Sub(a.moved))
	return a.queue(now, min(took/time.Duration(a.cfg.Concurrency), time.Second), took/4)
}

// queue gives the next place in a row of wakes with such gaps, no sooner than wait
// from now.
func (a *app) queue(now time.Time, gap, wait time.Duration) time.Time {
	if soon := now.Add(wait); a.next.Before(soon) {
		a.next = soon
	}
	a.next = a.next.Add(gap)
	if late := now.Add(time.Minute); a.next.After(late) {
		a.next = late
	}
	return a.next
}

// leave takes the result of a try into account.
func (a *app) leave(now time.Time, took time.Duration, r Result, why string) {
	a.moved = now
	a.took = (7*a.took + took) / 8
	a.breaker = a.breaker.Record(now, r.Outcome, why)
	if r.Outcome == Delivered {
		a.proved = true
	}
}

// release gives the slot back.
func (a *app) release(service string) {
	a.inflight--
	if a.cfg.PerService {
		if a.services[service]--; a.services[service] == 0 {
			delete(a.services, service)
		}
	}
}
