package business

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/session"
)

// A history is told in lines, one event each:
//
//	+2s phone hibernated out=5 unread=message@5   => a2 wake phone message at once
//	account archived message s:1                  => b wake phone message; b quiet desk
//
// "owed" tells what is owed, and when. The first word, +DURATION, lets time pass; "phone" and "desk" are sessions whose
// endpoint has the same name; "account" speaks for the account. Behind the arrow
// stands who is woken, or not, and by which rule; "-" is nobody at all.
type history struct {
	t      testing.TB
	a      session.Account
	now    time.Time
	n      uint64
	policy Policy
}

func newHistory(t testing.TB) *history {
	return &history{t: t, a: session.Account{}.Clone(), now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), policy: DefaultPolicy()}
}

func addr(name string) session.Address {
	return session.Address{Service: "push.example.org", Node: name}
}

func (h *history) play(script string) {
	h.t.Helper()
	for line := range strings.Lines(script) {
		line, want, checked := strings.Cut(strings.TrimSpace(line), "=>")
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if pause, ok := strings.CutPrefix(words[0], "+"); ok {
			d, err := time.ParseDuration(pause)
			if err != nil {
				h.t.Fatal(err)
			}
			h.now = h.now.Add(d)
			words = words[1:]
		}
		got := h.line(words)
		if want = strings.Join(strings.Fields(want), " "); checked && got != want {
			h.t.Errorf("%s\n got  %s\n want %s", strings.TrimSpace(line), got, want)
		}
	}
}

// line plays one event and tells what was decided.
func (h *history) line(words []string) string {
	var reasons []session.Reason
	switch words[0] {
	case "sent", "again", "gave-up", "died":
		reasons = h.settle(words)
	case "claim":
		h.claim()
		return "-"
	case "owed":
		return h.owed()
	default:
		h.a, reasons = Decide(h.a, h.event(words), h.policy, h.now)
	}
	var told []string
	for _, r := range reasons {
		name := r.Endpoint.Node
		if name == "" {
			if r.Verdict == session.Quiet && r.Class == session.Nothing {
				continue // what merely happened
			}
			name = "nobody"
		}
		s := strings.TrimSpace(r.Rule+" "+string(r.Verdict)+" "+name) + " " + r.Class.String()
		if r.Verdict == session.Woke {
			s += " " + strings.Split(r.Why, ",")[0]
		}
		told = append(told, s)
	}
	if len(told) == 0 {
		return "-"
	}
	return strings.Join(told, "; ")
}

func (h *history) event(words []string) session.Event {
	h.n++
	e := session.Event{Kind: session.Kind(words[1]), Epoch: 1, N: h.n, Told: session.Mark{Epoch: 1, Seq: h.n}, Account: "juliet@example.org"}
	if words[0] != "account" {
		e.Session, e.Resource = words[0], words[0]
	}
	if e.Kind == session.Enable || e.Kind == session.Disable {
		e.Address = addr(words[0])
	}
	for _, w := range words[2:] {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case !ok && strings.HasPrefix(w, "s:"), !ok && strings.HasPrefix(w, "i:"):
			e.Key = w
		case k == "out":
			fmt.Sscan(v, &e.Out)
		case k == "acked":
			fmt.Sscan(v, &e.Acked)
		case k == "unread":
			class, at, _ := strings.Cut(v, "@")
			u := session.Unread{Count: 1}
			at, u.Key, _ = strings.Cut(at, "@")
			u.Class, _ = session.ParseClass(class)
			fmt.Sscan(at, &u.Last)
			e.Unread = append(e.Unread, u)
		case k == "heard":
			e.Heard = append(e.Heard, v)
		case k == "node":
			e.Address = addr(v)
		case k == "chat":
			e.Chat = v
		case k == "resource":
			e.Resource = v
		case k == "repeat":
			fmt.Sscan(v, &e.N)
		case k == "published":
			e.Published = append(e.Published, addr(v))
		default:
			if s, err := session.ParseState(w); err == nil {
				e.State = s
			} else if c, err := session.ParseClass(w); err == nil {
				e.Class = c
			} else {
				h.t.Fatalf("what is %q?", w)
			}
		}
	}
	return e
}

// claim lets a worker take everything that is due.
func (h *history) claim() {
	h.a = h.a.Clone()
	for k, w := range h.a.Pending {
		if !w.Due.After(h.now) {
			w.Lease, w.Sent = h.now.Add(time.Minute), w.Count
			w.Due = w.Lease
			h.a.Pending[k] = w
		}
	}
}

// settle: "sent phone message".
func (h *history) settle(words []string) []session.Reason {
	class, _ := session.ParseClass(words[2])
	k := session.WakeKey{Address: addr(words[1]), Class: class}
	s := session.Settlement{At: h.now, Why: words[0]}
	s.Verdict = map[string]session.Verdict{"sent": session.Sent, "again": session.Again, "gave-up": session.GaveUp, "died": session.Died}[words[0]]
	s.Due = h.now.Add(time.Second)
	var reasons []session.Reason
	h.a, reasons = Settle(h.a, k, h.a.Pending[k], s, h.policy)
	return reasons
}

// owed: "phone message for 1 in 5m0s".
func (h *history) owed() string {
	var list []string
	for k, w := range h.a.Pending {
		when := " in " + w.Due.Sub(h.now).String()
		if w.Claimed(h.now) {
			when = " is sent"
		}
		list = append(list, fmt.Sprint(k.Node, " ", k.Class, " for ", w.Count, when))
	}
	if len(list) == 0 {
		return "-"
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}
