package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rouse/session"
)

// TestSealed: what the server encrypted for an app goes with the wake that it is for,
// with no other, and into no store.
func TestSealed(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	for _, j := range h.claim() {
		h.settle(j, session.Sent)
	}
	said := func(data string) []session.Sealed {
		return []session.Sealed{{Address: session.Address{Service: us, Node: "another"}, Encrypted: "for another"}, {Address: ep, Encrypted: data, IV: "iv"}}
	}
	queue := func(out uint64, class session.Class, sealed []session.Sealed) {
		h.pass(time.Minute)
		h.take(session.Event{Kind: session.Queue, Session: "s1", Class: class, Out: out, Sealed: sealed})
	}
	content := func(want string) {
		t.Helper()
		jobs := h.claim()
		if len(jobs) != 1 {
			t.Fatalf("claimed %+v", jobs)
		}
		got := ""
		if c := jobs[0].Content; c != nil {
			got = c.Encrypted
		}
		if got != want {
			t.Errorf("sent with %q, want %q", got, want)
		}
		h.settle(jobs[0], session.Sent)
	}
	queue(2, session.Message, said("ciphertext"))
	o, err := h.store.Load(t.Context(), juliet)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(o); err != nil || strings.Contains(string(text), "ciphertext") {
		t.Errorf("stored is %s, %v", text, err)
	}
	content("ciphertext")
	queue(3, session.Message, nil)
	content("")
	queue(4, session.Message, said("one"))
	h.take(session.Event{Kind: session.Queue, Session: "s1", Class: session.Message, Out: 5, Sealed: said("two")})
	content("two") // the newest: it stands for both
	queue(6, session.Message, said("read on"))
	h.take(session.Event{Kind: session.Resume, Session: "s1", State: session.Active, Acked: 6})
	h.take(session.Event{Kind: session.Hibernate, Session: "s1", Out: 7, Acked: 6, Unread: []session.Unread{{Class: session.Message, Last: 7, Count: 1}}})
	content("")
}
