package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// soakVerdict is what the books say in the end.
type soakVerdict struct {
	Stanzas  int                      // sent, one for each account and stanza
	Owed     int                      // wakes that had to come: one for each device and stanza
	Wakes    int                      // accepted by the stand-ins
	Excused  map[string]int           // owed and not missed, by why
	Lost     []string                 // owed, and none came
	Doubled  map[string]int           // wakes without anything new, by what was going on
	Needless int                      // wakes for what was sent to a device that was awake
	Worst    map[string]time.Duration // from stanza to wake, by what was going on
	doubles  []string
	slowest  string // the wake that took longest
	slow     time.Duration
}

// judge goes through the books (DESIGN "Lost means", "Doubled means").
func (b *books) judge() soakVerdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := soakVerdict{Excused: map[string]int{}, Doubled: map[string]int{}, Worst: map[string]time.Duration{}}
	ids := map[string]bool{}
	for token, p := range b.devices {
		list := p.sorted()
		for _, e := range list {
			switch e.what {
			case wasWoken:
				v.Wakes++
			case wasSent:
				ids[e.id] = true
				b.judgeSent(&v, token, p, e)
			}
		}
		for _, call := range []bool{false, true} {
			b.judgeWakes(&v, token, p, list, call)
		}
	}
	v.Stanzas = len(ids)
	slices.Sort(v.Lost)
	return v
}

func (b *books) judgeSent(v *soakVerdict, token string, p *page, e entry) {
	if !e.owed {
		return
	}
	v.Owed++
	at, ok := p.cover(e.at, e.call)
	if here, is := p.returned(e.at); is && ok && here.Before(at) {
		ok = false // it saw for itself, and the wake is about something else
	}
	switch {
	case ok:
		took := at.Sub(e.at)
		if took > v.slow {
			v.slow, v.slowest = took, fmt.Sprintf("%s: %s sent at %s, woken at %s", p.name, e.id, e.at.Format("15:04:05.000"), at.Format("15:04:05.000"))
		}
		during := b.during(token, e.at, at, nil)
		if len(during) == 0 {
			during = []string{"nothing"}
		}
		for _, kind := range during {
			v.Worst[kind] = max(v.Worst[kind], took)
		}
	case e.excused != "":
		v.Excused[e.excused]++
	case p.waiting(e):
		v.Lost = append(v.Lost, fmt.Sprintf("%s: nothing came for %s, sent at %s", p.name, e.id, e.at.Format("15:04:05.000")))
	default:
		v.Excused["the device came back"]++
	}
}

// creditLife is how long a stanza can be what a wake is about, beside the last
// one: a burst may be worth one wake or several.
const creditLife = 2 * time.Minute

// crashes are the faults that leave nobody to know whether a wake in flight was
// accepted: the only ones that may double.
var crashes = []string{"kill", "provider-cut", "reset", "provider-stall", "provider-delay", "stop", "disk-full", "clock",
	"redis-cut", "redis-delay", "redis-stall", "redis-stop", "redis-kill", "redis-restart", "redis-failover"}

// judgeWakes looks for what each wake of a class can have been about.
func (b *books) judgeWakes(v *soakVerdict, token string, p *page, list []entry, call bool) {
	var fresh []time.Time  // stanzas that no wake was about yet
	sleep := false         // a sleep that no wake was about yet
	awake := 0             // stanzas of while it was awake
	var missed []time.Time // calls that messages may be about
	var last, lastButOne time.Time
	for _, e := range list {
		switch {
		case e.what == fellAsleep:
			sleep, awake = true, 0
		case e.what == wasSent && e.owed && e.call && !call:
			missed = append(missed, e.at)
		case e.call != call:
		case e.what == wasSent && e.owed:
			fresh = append(slices.DeleteFunc(fresh, func(t time.Time) bool { return e.at.Sub(t) > creditLife }), e.at)
		case e.what == wasSent:
			awake++
		case e.what == wasWoken:
			switch {
			case len(fresh) > 0:
				fresh = fresh[1:]
			case sleep:
				sleep = false
			case awake > 0:
				awake--
				v.Needless++
			case len(missed) > 0 && e.at.Sub(missed[0]) >= missedAfter:
				missed = missed[1:]
			default:
				during := b.during(token, lastButOne.Add(-200*time.Millisecond), e.at, crashes)
				why := strings.Join(during, "+")
				if why == "" {
					why = "nothing"
				}
				v.Doubled[why]++
				v.doubles = append(v.doubles, fmt.Sprintf("%s: woken at %s and again at %s (call %t, id %s), during %s",
					p.name, last.Format("15:04:05.000"), e.at.Format("15:04:05.000"), call, e.id, why))
			}
			lastButOne, last = last, e.at
		}
	}
}

// during names the faults between two times, sorted; of some kinds only, or of all.
func (b *books) during(token string, from, to time.Time, kinds []string) []string {
	found := map[string]bool{}
	for _, f := range b.faults {
		if f.from.After(to) || !f.to.IsZero() && f.to.Before(from) || f.token != "" && f.token != token {
			continue
		}
		if kinds == nil || slices.Contains(kinds, f.kind) {
			found[f.kind] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (v soakVerdict) doubledInAll() int {
	n := 0
	for _, k := range v.Doubled {
		n += k
	}
	return n
}
