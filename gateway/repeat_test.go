package gateway_test

import (
	"testing"
	"time"

	"rouse/business"
	"rouse/gateway"
	"rouse/session"
)

// TestADeviceThatDoesNotComeBack is woken again, under an ID of its own each time,
// until its client is there.
func TestADeviceThatDoesNotComeBack(t *testing.T) {
	h := houseWith(t, func(c *gateway.Config) { c.Policy = business.DefaultPolicy })
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	ids := make(map[string]bool)
	wake := func(after time.Duration) {
		t.Helper()
		h.pass(after - time.Second)
		if jobs := h.claim(); len(jobs) != 0 {
			t.Fatalf("too early: %+v", jobs)
		}
		h.pass(time.Second)
		jobs := h.claim()
		if len(jobs) != 1 || jobs[0].Key.Address != ep || jobs[0].Target.Token != "token-phone" || jobs[0].Wake.Sent != 1 || ids[jobs[0].ID] {
			t.Fatalf("after %v: %+v", after, jobs)
		}
		ids[jobs[0].ID] = true
		h.settle(jobs[0], session.Sent)
	}
	jobs := h.claim()
	if len(jobs) != 1 {
		t.Fatalf("at once: %+v", jobs)
	}
	h.settle(jobs[0], session.Sent)
	for _, after := range []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour} {
		wake(after)
	}
	h.take(session.Event{Kind: session.Resume, Session: "s1", State: session.Active, Acked: 1})
	h.pass(7 * 24 * time.Hour)
	if jobs := h.claim(); len(jobs) != 0 {
		t.Errorf("it is back, and woken: %+v", jobs)
	}
}
