package main

import (
	"net/http/httptrace"
	"sync"
	"time"

	"rouse/push"
)

// hops is when a push came how far. A provider may try twice: the first
// connection and the last answer count.
type hops struct {
	mu                    sync.Mutex
	wanted, had, answered time.Time
}

func (h *hops) trace() *httptrace.ClientTrace {
	at := func(t *time.Time, first bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !first || t.IsZero() {
			*t = time.Now()
		}
	}
	return &httptrace.ClientTrace{
		GetConn:              func(string) { at(&h.wanted, true) },
		GotConn:              func(httptrace.GotConnInfo) { at(&h.had, true) },
		GotFirstResponseByte: func() { at(&h.answered, false) },
	}
}

// ended tells what of it was reached. With granted, an access token comes first.
func (h *hops) ended(o push.Outcome, begun time.Time, granted bool, p *printer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	between := func(a, b time.Time) string { return b.Sub(a).Round(10 * time.Microsecond).String() }
	if granted {
		if h.wanted.IsZero() {
			p.print(finding{Place: "access token", Text: "none was given", Took: took(begun)})
			return
		}
		p.print(finding{Place: "access token", OK: true, Text: "given", Took: between(begun, h.wanted)})
	}
	switch {
	case h.wanted.IsZero(): // it was not sent at all
		return
	case h.had.IsZero():
		p.print(finding{Place: "connection", Text: "there is none", Took: between(h.wanted, time.Now())})
		return
	}
	p.print(finding{Place: "connection", OK: true, Text: "made", Took: between(h.wanted, h.had)})
	if h.answered.IsZero() {
		if o == push.Unavailable {
			p.print(finding{Place: "answer", Text: "there is none", Took: between(h.had, time.Now())})
		}
		return
	}
	p.print(finding{Place: "answer", OK: true, Text: "came", Took: between(h.had, h.answered)})
}
