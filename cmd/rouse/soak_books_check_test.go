package main

import (
	"maps"
	"testing"
	"time"
)

// TestTheBooksSeeWhatIsWrong: a harness that finds nothing must be able to.
func TestTheBooksSeeWhatIsWrong(t *testing.T) {
	at := func(s float64) time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(s * float64(time.Second)))
	}
	message := func(s float64) entry { return entry{at: at(s), what: wasSent, owed: true, id: "m"} }
	call := func(s float64) entry { return entry{at: at(s), what: wasSent, owed: true, call: true, id: "c"} }
	wake := func(s float64) entry { return entry{at: at(s), what: wasWoken} }
	ring := func(s float64) entry { return entry{at: at(s), what: wasWoken, call: true} }
	for _, c := range []struct {
		name    string
		entries []entry
		lost    int
		doubled int
		excused int
	}{
		{name: "one wake for one stanza", entries: []entry{message(1), wake(2), message(3), wake(4)}},
		{name: "one wake for several", entries: []entry{message(1), message(1.1), message(1.2), wake(2)}},
		{name: "a wake of before does not count", entries: []entry{wake(1), message(2)}, lost: 1, doubled: 1},
		{name: "nothing came for the last", entries: []entry{message(1), wake(2), message(3)}, lost: 1},
		{name: "twice for one", entries: []entry{message(1), wake(2), wake(3)}, doubled: 1},
		{name: "twice, for two sleeps", entries: []entry{message(1), wake(2), {at: at(3), what: cameBack}, {at: at(4), what: fellAsleep}, wake(5)}},
		{name: "and once more", entries: []entry{{at: at(4), what: fellAsleep}, wake(5), wake(6)}, doubled: 1},
		{name: "a message does not ring", entries: []entry{call(1), wake(2)}, lost: 1, doubled: 1},
		{name: "a call that is over is told of, once", entries: []entry{call(1), wake(50), wake(51)}, doubled: 1},
		{name: "a call rings", entries: []entry{message(1), call(1), ring(2), wake(2)}},
		{name: "it came back before it was woken", entries: []entry{message(1), {at: at(2), what: cameBack}}, excused: 1},
		{name: "what it is woken for later is something else", excused: 1,
			entries: []entry{message(1), {at: at(2), what: cameBack}, {at: at(3), what: fellAsleep}, message(4), wake(5)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			b.open("token", "phone").entries = c.entries
			v := b.judge()
			excused := 0
			for n := range maps.Values(v.Excused) {
				excused += n
			}
			if len(v.Lost) != c.lost || v.doubledInAll() != c.doubled || excused != c.excused {
				t.Errorf("lost %q, doubled %v, excused %v", v.Lost, v.doubles, v.Excused)
			}
		})
	}
}

// TestTheBooksExcuseWhatDiesWithTheServer: only what is young, and only what a
// server learns late of a session.
func TestTheBooksExcuseWhatDiesWithTheServer(t *testing.T) {
	now := time.Now()
	b := newBooks()
	p := b.open("token", "phone")
	for _, age := range []time.Duration{9 * time.Second, 4 * time.Second, time.Second} {
		for _, late := range []bool{false, true} {
			p.entries = append(p.entries, entry{at: now.Add(-age), what: wasSent, owed: true, late: late, id: age.String()})
		}
	}
	b.excuse(now.Add(-2*time.Second), now.Add(-7*time.Second), "the server died")
	if got := len(b.outstanding(time.Time{})); got != 3 {
		t.Errorf("%d are owed still, want both of 9 s ago and one of 4 s ago: %q", got, b.outstanding(time.Time{}))
	}
}
