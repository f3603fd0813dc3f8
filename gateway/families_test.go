package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
)

const (
	elsewhere = "elsewhere.example"
	romeo     = "romeo@" + elsewhere
)

// hex64 looks like a token of APNs.
var hex64 = strings.Repeat("0a", 32)

func (h *house) publishes(p gateway.PublishRequest, want gateway.Answer) {
	h.t.Helper()
	if p.Class == session.Nothing {
		p.Class = session.Message
	}
	if got := h.Publish(h.t.Context(), p); got != want {
		h.t.Errorf("publish from %s: answer %v, want %v", p.From, got, want)
	}
}

// registers registers a device, and fails if that is not as wanted.
func (h *house) registers(r gateway.RegisterRequest, want error) (node, secret string) {
	h.t.Helper()
	node, secret, err := h.Register(h.t.Context(), r)
	if !errors.Is(err, want) {
		h.t.Fatalf("register %+v: %v, want %v", r, err, want)
	}
	return node, secret
}

func appserver(account, node, token string) gateway.RegisterRequest {
	return gateway.RegisterRequest{
		Family: session.Appserver, Account: account, Provider: "apns", App: "ios", Token: token, Node: node, Device: account + " " + node,
	}
}

func tigase(account, token string) gateway.RegisterRequest {
	return gateway.RegisterRequest{
		Family: session.Tigase, Account: account, Provider: "tigase:messenger:apns:1", App: "ios", Token: token, Calls: "calls-" + token, Device: account + " " + token,
	}
}

func fpush(node string) gateway.PublishRequest {
	return gateway.PublishRequest{From: elsewhere, Node: node, Offer: &gateway.Offer{Family: session.Fpush, App: "monal", Token: node}}
}

// TestRooms: a registration for a room is another one than the account's, and the
// room's server is who publishes for it.
func TestRooms(t *testing.T) {
	h := newHouse(t)
	r := gateway.RegisterRequest{Account: romeo, Provider: "fcm", App: "chat", Token: "t", Device: "d"}
	account, secret := h.registers(r, nil)
	r.Channel, r.Domain = "c", "rooms.example"
	room, roomSecret := h.registers(r, nil)
	if account == room {
		t.Fatal("the room's node is the account's")
	}
	h.publishes(gateway.PublishRequest{From: "rooms.example", Node: room, Secret: roomSecret}, gateway.Accepted)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: room, Secret: roomSecret}, gateway.Forbidden)
	h.publishes(gateway.PublishRequest{From: "rooms.example", Node: account, Secret: secret}, gateway.Forbidden)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Channel != "c" || jobs[0].Target.Device != "d" {
		t.Errorf("claimed %+v", jobs)
	}
}

// TestUnregister: what is unregistered is published to in vain, and may come back.
func TestUnregister(t *testing.T) {
	h := newHouse(t)
	r := gateway.RegisterRequest{Account: romeo, Provider: "fcm", App: "chat", Token: "t", Device: "d"}
	if err := h.Unregister(t.Context(), r); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("before: %v", err)
	}
	node, secret := h.registers(r, nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node, Secret: secret}, gateway.Accepted)
	if err := h.Unregister(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node, Secret: secret}, gateway.NoNode)
	if err := h.Unregister(t.Context(), r); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("twice: %v", err)
	}
	if jobs := h.claim(); len(jobs) != 0 {
		t.Errorf("owed to what is unregistered: %+v", jobs)
	}
	h.registers(r, nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node, Secret: secret}, gateway.Accepted)
}

// TestAppserverNodes are what clients call themselves: the same word means another
// device on another domain, and nobody takes a word from its owner.
func TestAppserverNodes(t *testing.T) {
	h := newHouse(t)
	_, secret := h.registers(appserver(romeo, "my-phone", "t1"), nil)
	_, other := h.registers(appserver(juliet, "my-phone", "t2"), nil)
	if secret == other {
		t.Fatal("two domains have one secret")
	}
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: "my-phone", Secret: secret}, gateway.Accepted)
	h.publishes(gateway.PublishRequest{From: host, Node: "my-phone", Secret: secret}, gateway.NoNode)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: "my-phone"}, gateway.NoNode)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "t1" {
		t.Errorf("claimed %+v", jobs)
	}

	if _, again := h.registers(appserver(romeo, "my-phone", "t3"), nil); again != secret {
		t.Error("the secret changed with the token")
	}
	h.registers(appserver("mercutio@"+elsewhere, "my-phone", "evil"), gateway.ErrTaken)
	h.registers(appserver("mercutio@"+elsewhere, "my-phone", "t3"), nil) // the same device
	if err := h.Unregister(t.Context(), appserver(romeo, "my-phone", "")); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("romeo ended mercutio's: %v", err)
	}
	if err := h.Unregister(t.Context(), appserver("mercutio@"+elsewhere, "my-phone", "")); err != nil {
		t.Error(err)
	}
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: "my-phone", Secret: secret}, gateway.NoNode)
	h.registers(appserver(romeo, "my-phone", "t4"), nil) // what ended is free
}

// TestAppserverStoreLost: the secret proves that the node meant something here.
func TestAppserverStoreLost(t *testing.T) {
	h, seen := withoutStore(t)
	secret := h.nodes.Secret(h.nodes.Stand(elsewhere, "my-phone"))
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: "my-phone", Secret: secret}, gateway.Later)
	if n := seen.unknown.Load(); n != 1 {
		t.Errorf("counted %d", n)
	}
}

// TestShadowing: whichever family had a node first keeps it.
func TestShadowing(t *testing.T) {
	h := newHouse(t)
	ours, secret := h.registers(gateway.RegisterRequest{Account: romeo, Provider: "fcm", App: "chat", Token: "t", Device: "d"}, nil)
	h.registers(appserver(romeo, ours, "evil"), gateway.ErrTaken)
	h.publishes(fpush(ours), gateway.Forbidden)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: ours, Secret: secret}, gateway.Accepted)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "t" {
		t.Errorf("claimed %+v", jobs)
	}

	_, proof := h.registers(appserver(romeo, hex64, "t1"), nil)
	h.publishes(fpush(hex64), gateway.Forbidden)
	with := fpush(hex64)
	with.Secret = proof // options beside the secret change nothing
	h.publishes(with, gateway.Accepted)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.App != "ios" {
		t.Errorf("claimed %+v", jobs)
	}

	monal := strings.Repeat("0b", 32)
	h.publishes(fpush(monal), gateway.Accepted)
	h.registers(appserver(romeo, monal, "evil"), gateway.ErrTaken)
	mongoose := fpush(monal)
	mongoose.Offer = &gateway.Offer{Family: session.Mongoose, App: "other", Token: "evil"}
	h.publishes(mongoose, gateway.Forbidden)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != monal || jobs[0].Target.Domain != elsewhere {
		t.Errorf("claimed %+v", jobs)
	}
}

// TestDevicesThatDoNotRegister: the first publish makes the registration; a dead
// one stays so for a day, unless there is another token.
func TestDevicesThatDoNotRegister(t *testing.T) {
	h := newHouse(t)
	h.publishes(fpush(hex64), gateway.Accepted)
	died := func() {
		t.Helper()
		jobs := h.claim()
		if len(jobs) != 1 {
			t.Fatalf("claimed %+v", jobs)
		}
		if err := h.Settle(t.Context(), jobs[0], session.Settlement{Verdict: session.Died, At: h.clock(), Why: "apns: Unregistered"}); err != nil {
			t.Fatal(err)
		}
	}
	died()
	h.publishes(fpush(hex64), gateway.NoNode)
	h.pass(25 * time.Hour)
	h.publishes(fpush(hex64), gateway.Accepted)

	died()
	mongoose := func(token string) gateway.PublishRequest {
		return gateway.PublishRequest{From: elsewhere, Node: "punsub", Offer: &gateway.Offer{Family: session.Mongoose, App: "m", Token: token}}
	}
	h.publishes(mongoose("t1"), gateway.Accepted)
	died()
	h.publishes(mongoose("t1"), gateway.NoNode)
	h.publishes(mongoose("t2"), gateway.Accepted)
	h.pass(time.Minute) // as any other wake of the device
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "t2" {
		t.Errorf("claimed %+v", jobs)
	}
}

// TestADomainHasOnlySoManyNewDevices: each counts, calls too.
func TestADomainHasOnlySoManyNewDevices(t *testing.T) {
	h := houseOn(t, newHouse(t).store, func(c *gateway.Config) {
		c.Senders = func() gateway.Rate { return gateway.Rate{PerSecond: 1, Burst: 2} }
	})
	taken := 0
	for i := range 4 {
		p := fpush(strings.Repeat("0"+string(rune('1'+i)), 32))
		p.Class = session.Call
		if h.Publish(t.Context(), p) == gateway.Accepted {
			taken++
		}
	}
	if taken != 2 {
		t.Errorf("%d of 4 were taken, want 2", taken)
	}
}

// TestTigase: the node is enough, its second token and its account are kept.
func TestTigase(t *testing.T) {
	h := newHouse(t)
	node, _ := h.registers(tigase(romeo, "t"), nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node}, gateway.Accepted)
	h.publishes(gateway.PublishRequest{From: host, Node: node}, gateway.Forbidden)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Account != romeo || jobs[0].Target.Calls != "calls-t" {
		t.Errorf("claimed %+v", jobs)
	}
	if err := h.Unregister(t.Context(), tigase(juliet, "t")); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("somebody else: %v", err)
	}
	if err := h.Unregister(t.Context(), tigase(romeo, "t")); err != nil {
		t.Error(err)
	}
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node}, gateway.NoNode)
}

// TestPartings: who keeps its account with us is told once that it is over, by the
// provider's word or the app's, and where it died unheard at the next publish.
func TestPartings(t *testing.T) {
	var told []string
	linked := true
	h := houseOn(t, newHouse(t).store, func(c *gateway.Config) {
		c.Parts = func(account, node string) bool {
			if linked {
				told = append(told, account+" "+node)
			}
			return linked
		}
	})
	dies := func(node string, answer gateway.Answer) {
		t.Helper()
		h.publishes(gateway.PublishRequest{From: elsewhere, Node: node, Class: session.Message}, gateway.Accepted)
		for _, j := range h.claim() {
			if err := h.Settle(t.Context(), j, session.Settlement{Verdict: session.Died, At: h.now, Why: "apns: 410 Unregistered"}); err != nil {
				t.Fatal(err)
			}
		}
		h.publishes(gateway.PublishRequest{From: elsewhere, Node: node}, answer)
	}
	want := func(list ...string) {
		t.Helper()
		if !slices.Equal(told, list) {
			t.Errorf("told %q, want %q", told, list)
		}
	}
	node, _ := h.registers(tigase(romeo, "t"), nil)
	dies(node, gateway.NoNode)
	want(romeo + " " + node)

	// Again, while nobody has the link here.
	h.pass(time.Minute)
	h.registers(tigase(romeo, "t"), nil)
	linked = false
	dies(node, gateway.NoNode)
	want(romeo + " " + node)
	linked = true
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node}, gateway.NoNode)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: node}, gateway.NoNode)
	want(romeo+" "+node, romeo+" "+node)

	h.pass(time.Minute)
	h.registers(tigase(romeo, "t"), nil)
	if err := h.Unregister(t.Context(), tigase(romeo, "t")); err != nil {
		t.Fatal(err)
	}
	want(romeo+" "+node, romeo+" "+node, romeo+" "+node)

	// Nobody else keeps an account that could be told.
	_, secret := h.registers(appserver(romeo, "my-phone", "t4"), nil)
	h.publishes(gateway.PublishRequest{From: elsewhere, Node: "my-phone", Secret: secret}, gateway.Accepted)
	if err := h.Unregister(t.Context(), appserver(romeo, "my-phone", "t4")); err != nil {
		t.Fatal(err)
	}
	want(romeo+" "+node, romeo+" "+node, romeo+" "+node)
}

// TestReportedEndpoints: which of what a module reports can be woken.
func TestReportedEndpoints(t *testing.T) {
	h := houseOn(t, newHouse(t).store, func(c *gateway.Config) {
		c.Offers = func(node, module string) *gateway.Offer {
			if len(node) != 64 || module != "m" {
				return nil
			}
			return &gateway.Offer{Family: session.Fpush, App: "monal", Token: node}
		}
	})
	_, secret := h.registers(appserver(juliet, "my-phone", "t1"), nil)
	siskin, _ := h.registers(tigase(juliet, "t2"), nil)
	_, theirs := h.registers(appserver("nurse@"+host, "nurse-phone", "t3"), nil)
	stranger, _ := h.registers(tigase("nurse@"+host, "t4"), nil)
	for i, e := range []struct {
		node, secret string
	}{{"my-phone", secret}, {siskin, ""}, {hex64, ""}, {"my-phone", "guess"}, {"nurse-phone", ""}, {stranger, ""}, {"unheard-of", ""}, {"nurse-phone", theirs}} {
		account := session.Event{Kind: session.Enable, Session: string(rune('a' + i)), Address: session.Address{Service: us, Node: e.node}, Secret: session.Fingerprint(e.secret), Module: "m"}
		h.take(account)
	}
	h.take(session.Event{Kind: session.Offline, Class: session.Message, Key: "s:1"})
	woken := map[string]bool{}
	for _, j := range h.claim() {
		woken[j.Target.Token] = true
	}
	// The last one knew the secret. A wrong secret enables the same endpoint anew, and ends it.
	if len(woken) != 3 || !woken["t2"] || !woken[hex64] || !woken["t3"] {
		t.Errorf("woken: %v", woken)
	}
	h.take(session.Event{Kind: session.Disable, Address: session.Address{Service: us, Node: hex64}})
	h.pass(time.Hour)
	h.take(session.Event{Kind: session.Offline, Class: session.Message, Key: "s:2"})
	for _, j := range h.claim() {
		if j.Target.Token == hex64 {
			t.Error("woken after it was disabled")
		}
	}
	h.take(session.Event{Kind: session.Delete})
	if reg, err := h.store.Registration(t.Context(), siskin); err != nil || reg.Live() {
		t.Errorf("the account was deleted, and its registration is %+v, %v", reg, err)
	}
	if reg, err := h.store.Registration(t.Context(), stranger); err != nil || !reg.Live() {
		t.Errorf("the account of somebody else was deleted, and the registration is %+v, %v", reg, err)
	}
}
