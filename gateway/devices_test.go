package gateway_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
	"rouse/store"
)

// TestWhatThereIsOfADevice: of our own account with its session and what is owed;
// of another server's by what it registered.
func TestWhatThereIsOfADevice(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	theirs, proof := h.registers(phone(romeo, 1), nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: theirs, Secret: proof, Class: session.Call}, gateway.Accepted)
	began := h.clock()

	for _, account := range []string{juliet, ""} { // the account is found
		d, err := h.Device(t.Context(), ep.Node, account)
		if err != nil || d.Account != juliet || d.Owner != juliet || d.Endpoint == nil || d.Session == nil || d.Session.State != session.Hibernated ||
			d.Owed[session.Message].Count != 1 || d.Last != nil || !d.Since.Equal(began) || !d.Ours() {
			t.Errorf("%+v, %v", d, err)
		}
	}
	for _, j := range h.claim() {
		h.settle(j, session.Sent)
	}
	list, err := h.DevicesOf(t.Context(), juliet)
	if err != nil || len(list) != 1 || len(list[0].Owed) != 0 || list[0].Last == nil || list[0].Last.Verdict != session.Sent {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = h.DevicesOf(t.Context(), romeo)
	if err != nil || len(list) != 1 || list[0].Node != theirs || list[0].Owner != store.NodeKey(theirs) || list[0].Last.Class != session.Call {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := h.DevicesOf(t.Context(), "nobody@"+elsewhere); err != nil || len(list) != 0 {
		t.Errorf("of nobody: %+v, %v", list, err)
	}
	for domain, want := range map[string][]string{"": {ep.Node, theirs}, elsewhere: {theirs}, "none.example": nil} {
		var got []string
		for d, err := range h.Registrations(t.Context(), domain) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d.Node)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("of %q: %q, want %q", domain, got, want)
		}
	}
	for _, node := range []string{"guess", h.nodes.Issue("fcm", "never")} {
		if _, err := h.Device(t.Context(), node, ""); !errors.Is(err, gateway.ErrUnknown) {
			t.Errorf("%s: %v", node, err)
		}
	}
}

// TestForgettingADevice: with all that is owed to it; servers are told to forget it
// too, and the device may come back.
func TestForgettingADevice(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	theirs, proof := h.registers(phone(romeo, 1), nil)
	publish := gateway.PublishRequest{From: elsewhere, Node: theirs, Secret: proof}
	h.publishes(publish, gateway.Accepted)

	if _, err := h.ForgetDevice(t.Context(), ep.Node, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ForgetDevice(t.Context(), theirs, romeo); err != nil {
		t.Fatal(err)
	}
	if jobs := h.claim(); len(jobs) != 0 {
		t.Errorf("still owed: %+v", jobs)
	}
	h.publishes(publish, gateway.NoNode)
	if o, err := h.store.Load(t.Context(), store.NodeKey(theirs)); err != nil || o.Version != 0 {
		t.Errorf("left over: %+v, %v", o, err)
	}
	if list, err := h.DevicesOf(t.Context(), romeo); err != nil || len(list) != 0 {
		t.Errorf("romeo has %+v, %v", list, err)
	}
	o, err := h.store.Load(t.Context(), juliet)
	if err != nil || o.Account.Endpoints[ep].Dead == "" || len(o.Account.Devices) != 0 {
		t.Errorf("juliet has %+v, %v", o.Account, err)
	}
	h.registers(phone(romeo, 1), nil)
	h.publishes(publish, gateway.Accepted)
	if _, err := h.ForgetDevice(t.Context(), "guess", romeo); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("a guess: %v", err)
	}
}

// TestANoteIsNoWake: it is on record, and nothing is owed or counted for it.
func TestANoteIsNoWake(t *testing.T) {
	h := newHouse(t)
	ep, _ := h.device("phone")
	note := session.Reason{At: h.clock().Add(time.Second), Event: session.Test, Verdict: session.Sent, Class: session.Message, Endpoint: ep, Why: "apns: 200"}
	if err := h.Note(t.Context(), juliet, note); err != nil {
		t.Fatal(err)
	}
	if jobs := h.claim(); len(jobs) != 0 {
		t.Errorf("owed: %+v", jobs)
	}
	if d, err := h.Device(t.Context(), ep.Node, juliet); err != nil || d.Last == nil || *d.Last != note {
		t.Errorf("%+v, %v", d.Last, err)
	}
}
