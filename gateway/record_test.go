package gateway_test

import (
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
)

// TestRecordOf: of our own account what its server told and what others published to
// its device; of another server's account what was published; in the order of time.
func TestRecordOf(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	theirs, proof := h.registers(phone(romeo, 1), nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: theirs, Secret: proof, Class: session.Call}, gateway.Accepted)
	for _, j := range h.claim() {
		h.settle(j, session.Sent)
	}
	for account, want := range map[string]struct {
		ours bool
		rule string
		at   session.Address
	}{
		juliet: {true, "a2", ep},
		romeo:  {false, "p", session.Address{Service: ep.Service, Node: theirs}},
	} {
		r, err := h.RecordOf(t.Context(), account, time.Time{})
		if err != nil || !r.Known || r.Ours != want.ours || len(r.Devices) != 1 {
			t.Errorf("%s: %+v, %v", account, r, err)
		}
		woke, sent := false, false
		for i, reason := range r.Reasons {
			if i > 0 && reason.At.Before(r.Reasons[i-1].At) {
				t.Errorf("%s: not in the order of time: %+v", account, r.Reasons)
			}
			if reason.Endpoint == want.at && reason.Rule == want.rule {
				woke = woke || reason.Verdict == session.Woke
				sent = sent || reason.Verdict == session.Sent && reason.Event == session.Settled
			}
		}
		if !woke || !sent {
			t.Errorf("%s: woken %v, sent %v: %+v", account, woke, sent, r.Reasons)
		}
	}
	if r, err := h.RecordOf(t.Context(), juliet, h.clock().Add(time.Hour)); err != nil || len(r.Reasons) != 0 || !r.Known {
		t.Errorf("of later: %+v, %v", r, err)
	}
	if r, err := h.RecordOf(t.Context(), "nobody@"+elsewhere, time.Time{}); err != nil || r.Known || r.Ours {
		t.Errorf("of nobody: %+v, %v", r, err)
	}
}
