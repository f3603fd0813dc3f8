// Package simulate plays scripted histories (session/history) by the rules: what
// happens is decided, wakes that are due go to a provider that does as it was told,
// and time passes only as the history says.
package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/session/history"
)

// begin is when a history begins that does not say it.
var begin = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// service stands for ours where the policy names none.
const service = "push.example.org"

// Miss is a line whose decision is not what was wanted.
type Miss struct {
	Line      int
	Got, Want string
}

// Result is what a history led to.
type Result struct {
	Reasons []session.Reason // in order
	Misses  []Miss
	Service string // where its devices are registered, but for those of third parties
}

// world is what a history changes.
type world struct {
	a       session.Account
	now     time.Time
	n       uint64
	policy  business.Policy
	service string
	answers map[string][]history.Answer
	flying  map[session.WakeKey]flight
	reasons []session.Reason
}

// flight is a wake in the hands of the provider.
type flight struct {
	wake   session.Wake
	answer history.Answer
	at     time.Time // when the answer comes
}

// Play plays a history by a policy. The error is a *history.Error without file.
func Play(steps []history.Step, p business.Policy) (Result, error) {
	w := &world{a: session.Account{}.Clone(), now: begin, policy: p, service: p.Service,
		answers: make(map[string][]history.Answer), flying: make(map[session.WakeKey]flight)}
	if w.service == "" {
		w.service = service
		w.policy.Service = service
	}
	r := Result{Service: w.service}
	for i, s := range steps {
		to := w.now.Add(s.Pause)
		if !s.At.IsZero() {
			if to = s.At.UTC(); i == 0 {
				w.now = to
			}
			if to.Before(w.now) {
				return r, &history.Error{Line: s.Line, Text: fmt.Sprintf("%s is before the line above it, which is at %s", s.At.Format(time.RFC3339), w.now.Format(time.RFC3339)), Tip: "lines are in the order in which things happen"}
			}
		}
		from := len(w.reasons)
		w.pass(to)
		switch {
		case s.Answers != nil:
			w.answers[s.Answers.Device] = append(w.answers[s.Answers.Device], s.Answers.List...)
		case s.Event != nil:
			from = len(w.reasons)
			w.decide(s)
		}
		if s.Checked {
			if got := w.reasons[from:]; !fits(got, s.Wants) {
				r.Misses = append(r.Misses, Miss{s.Line, Told(got), wanted(s.Wants)})
			}
		}
		w.pass(w.now) // what is due at once goes
	}
	r.Reasons = w.reasons
	return r, nil
}

func (w *world) decide(s history.Step) {
	w.n++
	e := *s.Event
	e.Epoch, e.N, e.Told, e.At = 1, w.n, session.Mark{Epoch: 1, Seq: w.n}, w.now
	if s.Node != "" {
		e.Address.Node = s.Node
		if e.Address.Service == "" {
			e.Address.Service = w.service
		}
	}
	e.Published = nil
	for _, a := range s.Event.Published {
		e.Published = append(e.Published, session.Address{Service: w.service, Node: a.Node})
	}
	var reasons []session.Reason
	w.a, reasons = business.Decide(w.a, e, w.policy, w.now)
	w.reasons = append(w.reasons, reasons...)
}

// pass lets time pass: answers come, and wakes that are due go out, in that order.
func (w *world) pass(to time.Time) {
	for {
		w.send()
		key, next := session.WakeKey{}, time.Time{}
		for k, f := range w.flying {
			if next.IsZero() || f.at.Before(next) || f.at.Equal(next) && compare(k, key) < 0 {
				key, next = k, f.at
			}
		}
		due := w.due()
		switch {
		case !next.IsZero() && !next.After(to) && (due.IsZero() || !next.After(due)):
			w.advance(next)
			w.settle(key)
		case !due.IsZero() && !due.After(to):
			w.advance(due)
		default:
			w.advance(to)
			return
		}
	}
}

func (w *world) advance(to time.Time) {
	if to.After(w.now) {
		w.now = to
	}
}

// due is when the next wake goes out that nobody sends; zero: there is none.
func (w *world) due() (at time.Time) {
	for k, wake := range w.a.Pending {
		if f, sent := w.flying[k]; (!sent || f.wake.Serial != wake.Serial) && (at.IsZero() || wake.Due.Before(at)) {
			at = wake.Due
		}
	}
	return at
}

// send hands what is due to the provider, as a worker does.
func (w *world) send() {
	for _, k := range slices.SortedFunc(maps.Keys(w.a.Pending), compare) {
		wake := w.a.Pending[k]
		if f, ok := w.flying[k]; ok && f.wake.Serial == wake.Serial || wake.Due.After(w.now) {
			continue
		}
		if w.held(k, wake) {
			continue
		}
		answer := history.Answer{Verdict: session.Sent}
		if list := w.answers[k.Node]; len(list) > 0 {
			answer, w.answers[k.Node] = list[0], list[1:]
		}
		w.a = w.a.Clone()
		wake.Lease, wake.Sent = w.now.Add(answer.Takes+time.Minute), wake.Count
		wake.Due = wake.Lease
		w.flying[k] = flight{wake, answer, w.now.Add(answer.Takes)}
		w.a.Pending[k] = wake
	}
}

// held has a wake wait that is due, and must not go yet for its device's sake.
func (w *world) held(k session.WakeKey, wake session.Wake) bool {
	p := w.policy
	p.Silents = 0 // which devices take few is not known here
	until, why := business.Hold(w.a, k, p, w.now)
	if until.IsZero() {
		return false
	}
	var reasons []session.Reason
	w.a, reasons = business.Settle(w.a, k, wake, session.Settlement{Verdict: session.Again, Free: true, At: w.now, Due: until, Why: why}, w.policy)
	w.reasons = append(w.reasons, reasons...)
	return true
}

// settle has the answer come.
func (w *world) settle(k session.WakeKey) {
	f := w.flying[k]
	delete(w.flying, k)
	s := session.Settlement{Verdict: f.answer.Verdict, At: w.now, Due: w.now.Add(f.answer.Again), Why: why(f.answer.Verdict)}
	var reasons []session.Reason
	w.a, reasons = business.Settle(w.a, k, f.wake, s, w.policy)
	w.reasons = append(w.reasons, reasons...)
}

func why(v session.Verdict) string {
	switch v {
	case session.Again:
		return "the provider is to be asked again"
	case session.GaveUp:
		return "it came too late to be of use"
	case session.Died:
		return "the provider says that the device is gone"
	}
	return "the provider took it"
}

// compare orders wakes that are due at one time: the most urgent first.
func compare(a, b session.WakeKey) int {
	return cmp.Or(cmp.Compare(b.Class, a.Class), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Node, b.Node))
}
