package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
	"rouse/store"
)

func enrolled(e gateway.Enrolment) func(*gateway.Config) {
	return func(c *gateway.Config) { c.Enrols = func() gateway.Enrolment { return e } }
}

func phone(account string, n int) gateway.RegisterRequest {
	return gateway.RegisterRequest{Account: account, Provider: "fcm", App: "chat", Token: fmt.Sprint("t", n), Device: fmt.Sprint(account, n)}
}

// TestAnAccountHasOnlySoManyDevices: whoever it is, the ones that were longest not
// seen go, and servers are told to forget them.
func TestAnAccountHasOnlySoManyDevices(t *testing.T) {
	for _, account := range []string{juliet, romeo} {
		h := houseWith(t, enrolled(gateway.Enrolment{Devices: 3}))
		var nodes []string
		for i := range 3 {
			node, _ := h.registers(phone(account, i), nil)
			nodes = append(nodes, node)
			h.pass(24 * time.Hour)
		}
		h.registers(phone(account, 0), nil) // it is in use
		h.registers(phone(account, 3), nil)
		h.registers(phone(account, 3), nil) // the same again is no other
		for i, want := range []bool{true, false, true} {
			r, err := h.store.Registration(t.Context(), nodes[i])
			if err != nil || r.Live() != want {
				t.Errorf("%s, device %d: %+v, %v", account, i, r, err)
			}
		}
		_, domain, _ := strings.Cut(account, "@")
		h.publishes(gateway.PublishRequest{From: domain, Node: nodes[1], Secret: h.nodes.Secret(nodes[1]), Class: session.Message}, gateway.NoNode)
		h.publishes(gateway.PublishRequest{From: domain, Node: nodes[0], Secret: h.nodes.Secret(nodes[0]), Class: session.Message}, gateway.Accepted)
	}
}

// TestWhoRegistersTooMuchIsRefused: an account by the hour, the same device too; a
// domain that is none of ours by the new devices of all its accounts.
func TestWhoRegistersTooMuchIsRefused(t *testing.T) {
	h := houseWith(t, enrolled(gateway.Enrolment{Account: 4, Domain: 6}))
	refused := func(r gateway.RegisterRequest, who string) {
		t.Helper()
		_, _, err := h.Register(t.Context(), r)
		var l *gateway.Limited
		if !errors.As(err, &l) || l.Who != who || l.Again <= 0 || l.Again > 15*time.Minute {
			t.Fatalf("%v, want %s limited", err, who)
		}
	}
	for range 4 {
		h.registers(phone(romeo, 1), nil)
	}
	refused(phone(romeo, 1), romeo)
	refused(phone(romeo, 2), romeo)
	h.pass(15 * time.Minute)
	h.registers(phone(romeo, 1), nil)

	h.pass(time.Hour)
	for i := range 6 {
		h.registers(phone(fmt.Sprintf("u%d@%s", i, elsewhere), 1), nil)
	}
	refused(phone("u7@"+elsewhere, 1), elsewhere)
	h.registers(phone("u3@"+elsewhere, 1), nil) // is not new
	for i := range 9 {
		h.registers(phone(fmt.Sprintf("u%d@%s", i, host), 1), nil) // has as many users as it has
	}
	if n := strings.Count(h.log.String(), "more is registered than may be"); n != 2 {
		t.Errorf("the log says %d times:\n%s", n, h.log)
	}
}

// TestAGuessedTokenCostsNoRead: devices that do not register have nodes without a
// check; the rate of the domain that guesses bounds what is looked up.
func TestAGuessedTokenCostsNoRead(t *testing.T) {
	reads := 0
	h := houseOn(t, newHouse(t).store, func(c *gateway.Config) {
		c.Senders = func() gateway.Rate { return gateway.Rate{PerSecond: 1, Burst: 3} }
		c.Store = countingReads{c.Store, &reads}
	})
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: strings.Repeat("A", 32)}, gateway.NoNode)
	if reads != 0 {
		t.Fatalf("%d reads for a node that is none", reads)
	}
	for i := range 20 {
		p := fpush(fmt.Sprintf("%064x", i))
		p.Class = session.Call
		h.Publish(t.Context(), p)
	}
	if reads != 3 {
		t.Errorf("%d reads for 20 guesses, want 3", reads)
	}
}

type countingReads struct {
	store.Store
	n *int
}

func (c countingReads) Registration(ctx context.Context, node string) (session.Registration, error) {
	*c.n++
	return c.Store.Registration(ctx, node)
}

// TestADeletedAccountLeavesNoDevice: also one that was registered and never enabled.
func TestADeletedAccountLeavesNoDevice(t *testing.T) {
	h := newHouse(t)
	ep, _ := h.device("phone")
	h.take(session.Event{Kind: session.Delete})
	if r, err := h.store.Registration(t.Context(), ep.Node); err != nil || r.Live() {
		t.Errorf("%+v, %v", r, err)
	}
}
