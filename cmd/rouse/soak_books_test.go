package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"rouse/session"
)

// books are what the harness itself knows: what was sent to which device, how it
// slept, and what the stand-ins accepted for it. Nothing in them comes from rouse.
type books struct {
	mu      sync.Mutex
	devices map[string]*page // by token
	faults  []fault
	changed chan struct{} // closed and replaced when a wake is accepted
	strange []string      // wakes for devices that nobody has
	tries   int           // requests that the stand-ins answered in any way
}

// page is the story of one device, in the order of time.
type page struct {
	name    string
	entries []entry
}

// entry is one line of a page.
type entry struct {
	at      time.Time
	what    what
	call    bool   // sent, woken: a call, which keeps to itself
	owed    bool   // sent: a wake must follow
	late    bool   // sent: to a session of which the server learns only then that it sleeps
	excused string // sent: why it need not follow after all
	id      string // sent: of the stanza; woken: apns-id
}

type what int

const (
	wasSent    what = iota // a stanza, to the account
	wasWoken               // a wake was accepted
	fellAsleep             // the device fell asleep
	cameBack               // the device came back: nothing is owed to it any more
)

// fault is something that was done, from when to when.
type fault struct {
	kind     string
	from, to time.Time // to is zero while it lasts
	token    string    // what was done to one request only: whose
}

func newBooks() *books {
	return &books{devices: map[string]*page{}, changed: make(chan struct{})}
}

func (b *books) open(token, name string) *page {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &page{name: name}
	b.devices[token] = p
	return p
}

func (b *books) note(p *page, e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.entries = append(p.entries, e)
}

// accept takes what a stand-in says of a request that it answered.
func (b *books) accept(token string, at time.Time, call bool, id string, delivered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if !delivered {
		return
	}
	p := b.devices[token]
	if p == nil {
		b.strange = append(b.strange, token)
		return
	}
	p.entries = append(p.entries, entry{at: at, what: wasWoken, call: call, id: id})
	close(b.changed)
	b.changed = make(chan struct{})
}

// begin notes a fault; the function that it gives ends it.
func (b *books) begin(kind string) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := len(b.faults)
	b.faults = append(b.faults, fault{kind: kind, from: time.Now()})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.faults[i].to = time.Now()
	}
}

// hit notes a fault of one request.
func (b *books) hit(kind, token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.faults = append(b.faults, fault{kind: kind, from: now, to: now, token: token})
}

// missedAfter is from when on a call may be told of as a missed one: it is over
// then, by a clock that may be 8 s ahead.
const missedAfter = session.CallLife - 9*time.Second

// covers reports whether a wake may be about what was sent then.
func (e entry) covers(at time.Time, call bool) bool {
	return e.what == wasWoken && !e.at.Before(at) && (e.call == call || call && e.at.Sub(at) >= missedAfter)
}

// cover finds the first wake that was accepted after a time.
func (p *page) cover(at time.Time, call bool) (time.Time, bool) {
	var first time.Time
	for _, e := range slices.Backward(p.entries) {
		if e.covers(at, call) && (first.IsZero() || e.at.Before(first)) {
			first = e.at
		}
		if e.what == wasSent && e.at.Before(at.Add(-time.Minute)) {
			break
		}
	}
	return first, !first.IsZero()
}

// excuse has nobody wait for what was sent after a time and is not covered: the
// server died before it can have kept its report, or before it had one.
func (b *books) excuse(since, sinceLate time.Time, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.devices {
		for i := len(p.entries) - 1; i >= 0 && !p.entries[i].at.Before(sinceLate); i-- {
			e := &p.entries[i]
			if e.late || !e.at.Before(since) {
				if p.waiting(*e) {
					e.excused = why
				}
			}
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// waiting reports whether somebody is still to be woken for what was sent then.
func (p *page) waiting(e entry) bool {
	if e.what != wasSent || !e.owed || e.excused != "" {
		return false
	}
	if _, ok := p.cover(e.at, e.call); ok {
		return false
	}
	_, ok := p.returned(e.at)
	return !ok
}

// returned finds when the device came back first after a time.
func (p *page) returned(since time.Time) (time.Time, bool) {
	var first time.Time
	for _, e := range slices.Backward(p.entries) {
		if e.what == cameBack && !e.at.Before(since) {
			first = e.at
		}
		if e.what == wasSent && e.at.Before(since) {
			break
		}
	}
	return first, !first.IsZero()
}

// outstanding lists what is owed and has not come, since a time.
func (b *books) outstanding(since time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, p := range b.devices {
		for _, e := range slices.Backward(p.entries) {
			if e.at.Before(since) {
				break
			}
			if p.waiting(e) {
				list = append(list, fmt.Sprintf("%s: %s sent at %s", p.name, e.id, e.at.Format("15:04:05.000")))
			}
		}
	}
	slices.Sort(list)
	return list
}

// sorted brings a page into the order of time: a wake is noted when it is
// answered, and counts from when it arrived.
func (p *page) sorted() []entry {
	list := slices.Clone(p.entries)
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return list
}
