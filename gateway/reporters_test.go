package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"rouse/business"
	"rouse/gateway"
	"rouse/session"
)

// node is a node of juliet's server: a module with epoch and sequence of its own.
type node struct {
	h     *house
	name  string
	epoch uint64
	seq   uint64
	n     uint64
}

func (n *node) batch(events ...session.Event) session.Batch {
	n.seq++
	for i := range events {
		e := &events[i]
		n.n++
		e.N, e.Epoch = n.n, n.epoch
		switch e.Kind {
		case session.PictureOn, session.PictureOff:
			e.Node = n.name
		case session.Left:
		default:
			e.Node, e.Account = n.name, juliet
		}
	}
	return session.Batch{Host: host, Node: n.name, Epoch: n.epoch, Seq: n.seq, Events: events}
}

func (n *node) take(events ...session.Event) {
	n.h.t.Helper()
	if err := n.h.Take(n.h.t.Context(), n.batch(events...)); err != nil {
		n.h.t.Fatal(err)
	}
}

// cluster is a server of two nodes, of which a has started long before b. Each has
// a phone of juliet's that sleeps.
func cluster(t *testing.T) (h *house, a, b *node) {
	h = newHouse(t)
	a, b = &node{h: h, name: "ejabberd@a", epoch: 100}, &node{h: h, name: "ejabberd@b", epoch: 900}
	for _, n := range []*node{b, a} {
		ep, secret := h.device(n.name)
		n.take(
			session.Event{Kind: session.Bind, Session: "on " + n.name, Resource: n.name},
			session.Event{Kind: session.Enable, Session: "on " + n.name, Resource: n.name, Address: ep, Secret: session.Fingerprint(secret)},
			session.Event{Kind: session.Hibernate, Session: "on " + n.name},
		)
		if asked := <-h.server.pictures; asked != session.Reporter(host, n.name) {
			t.Fatalf("asked %q for the picture, want %s", asked, n.name)
		}
	}
	return h, a, b
}

func (h *house) sessions() string {
	h.t.Helper()
	o, err := h.store.Load(h.t.Context(), juliet)
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, sid := range []string{"on ejabberd@a", "on ejabberd@b"} {
		if _, ok := o.Account.Sessions[sid]; ok {
			names = append(names, sid)
		}
	}
	return fmt.Sprint(names)
}

// endpoints gives the nodes of juliet's registrations.
func (h *house) endpoints() map[string]bool {
	h.t.Helper()
	o, err := h.store.Load(h.t.Context(), juliet)
	if err != nil {
		h.t.Fatal(err)
	}
	nodes := make(map[string]bool)
	for addr := range o.Account.Endpoints {
		nodes[addr.Node] = true
	}
	return nodes
}

// shown is how a picture shows juliet's registrations.
func (h *house) shown() (rows []session.Event) {
	h.t.Helper()
	o, err := h.store.Load(h.t.Context(), juliet)
	if err != nil {
		h.t.Fatal(err)
	}
	for addr, ep := range o.Account.Endpoints {
		rows = append(rows, session.Event{Kind: session.StoredRow, Address: addr, Secret: ep.Secret})
	}
	return rows
}

// wakes gives who is woken now.
func (h *house) wakes() map[string]int {
	h.t.Helper()
	woken := make(map[string]int)
	for _, j := range h.claim() {
		woken[j.Target.Token]++
		h.settle(j, session.Sent)
	}
	return woken
}

func TestANodeThatStartedEarlierIsHeard(t *testing.T) {
	h, a, b := cluster(t)
	for i := range uint64(3) {
		for _, n := range []*node{a, b} {
			h.pass(time.Minute)
			n.take(session.Event{Kind: session.Queue, Session: "on " + n.name, Class: session.Message, Out: i + 1})
			if woken := h.wakes(); len(woken) != 1 || woken["token-"+n.name] != 1 {
				t.Errorf("stanza %d on %s woke %v", i+1, n.name, woken)
			}
		}
	}
}

func TestEventsOfTheAccountAreCountedForEachNode(t *testing.T) {
	h, a, b := cluster(t)
	for i, n := range []*node{b, a, b, a} {
		h.pass(time.Minute)
		batch := n.batch(session.Event{Kind: session.Offline, Class: session.Message, Key: fmt.Sprintf("i:%d", i)})
		for range 2 { // the second is a repeat under a new number: its events are known
			if err := h.Take(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			n.seq++
			batch.Seq = n.seq
		}
		if woken := h.wakes(); woken["token-ejabberd@a"] != 1 || woken["token-ejabberd@b"] != 1 {
			t.Errorf("stanza %d, stored offline by %s, woke %v", i, n.name, woken)
		}
		h.pass(time.Minute)
		if woken := h.wakes(); len(woken) != 0 {
			t.Errorf("the repeat woke %v", woken)
		}
	}
}

func TestAPictureIsOfItsNode(t *testing.T) {
	h, a, b := cluster(t)
	shown := h.shown()
	h.pass(time.Minute)
	a.take(session.Event{Kind: session.PictureOn})
	b.take(session.Event{Kind: session.CSI, Session: "none"}) // b goes on meanwhile
	h.pass(time.Second)
	a.take(append(shown, session.Event{Kind: session.PictureOff})...)
	if got := h.sessions(); got != "[on ejabberd@b]" {
		t.Errorf("after a picture of a without sessions: %s", got)
	}
	h.pass(time.Minute)
	b.take(append([]session.Event{{Kind: session.PictureOn}, {Kind: session.PictureRow, Session: "on ejabberd@b", State: session.Hibernated}},
		append(shown, session.Event{Kind: session.PictureOff})...)...)
	if o, err := h.store.Load(t.Context(), juliet); err != nil || len(o.Account.Endpoints) != 2 || len(o.Account.Sessions) != 1 {
		t.Errorf("after the picture of b: %+v, %v", o.Account, err)
	}
	// Both pictures are complete: whoever gets the link next need not ask.
	for _, name := range []string{"", a.name, b.name} {
		if rep, err := h.store.Reporter(t.Context(), session.Reporter(host, name)); err != nil || rep.Wanted || rep.Epoch == 0 {
			t.Errorf("%q is asked again: %+v, %v", name, rep, err)
		}
	}
}

// Registrations are common, and batches of two nodes have no order: the picture of
// a node proves nothing of what another one told meanwhile.
func TestEnabledOnANodeWhileAnotherShowsItsPicture(t *testing.T) {
	h, a, b := cluster(t)
	for _, turn := range []struct{ shows, other *node }{{a, b}, {b, a}} { // one has started before the other, and the reverse
		shown := h.shown()
		turn.shows.take(session.Event{Kind: session.PictureOn})
		turn.shows.take(shown...)
		ep, secret := h.device("new on " + turn.other.name)
		turn.other.take(session.Event{Kind: session.Enable, Session: "on " + turn.other.name, Resource: "new", Address: ep, Secret: session.Fingerprint(secret)})
		turn.shows.take(session.Event{Kind: session.PictureOff})
		if got := h.endpoints(); len(got) != len(shown)+1 || !got[ep.Node] {
			t.Errorf("enabled on %s, the end of the picture of %s leaves %v", turn.other.name, turn.shows.name, got)
		}
	}
}

func TestAnEndpointEndsWithThePictureOfWhoToldOfIt(t *testing.T) {
	h, a, b := cluster(t) // the loss of "disable" is what a picture makes up for
	b.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureOff})
	if got := h.endpoints(); len(got) != 1 {
		t.Errorf("a picture of b without registrations leaves %v, want that of which a told", got)
	}
	a.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureOff})
	if got := h.endpoints(); len(got) != 0 {
		t.Errorf("one of a leaves %v", got)
	}
}

// Of what a node told that is gone, another one's picture says whether it is there.
func TestAnEndpointWhoseNodeIsGoneEndsWithAnothersPicture(t *testing.T) {
	for name, c := range map[string]struct {
		shown bool
		left  int // endpoints
	}{"it is there": {true, 2}, "it vanished": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			h, a, b := cluster(t)
			var shown []session.Event
			if c.shown {
				shown = h.shown()
			}
			a.take(session.Event{Kind: session.Left, Node: b.name})
			if got := h.endpoints(); len(got) != 2 {
				t.Fatalf("b is gone, and with it endpoints: %v", got)
			}
			a.take(session.Event{Kind: session.PictureOn})
			a.take(append(shown, session.Event{Kind: session.PictureOff})...)
			if got := h.endpoints(); len(got) != c.left {
				t.Errorf("the picture of a leaves %v", got)
			}
		})
	}
}

// What b told as the picture of a was under way may be there: a did not have to show it.
func TestANodeIsLostWithinAnothersPicture(t *testing.T) {
	h, a, b := cluster(t)
	a.take(session.Event{Kind: session.PictureOn})
	a.take(session.Event{Kind: session.Left, Node: b.name})
	a.take(session.Event{Kind: session.PictureOff})
	if got := h.endpoints(); len(got) != 1 {
		t.Errorf("the picture that was under way leaves %v, want that of which b told", got)
	}
	a.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureOff})
	if got := h.endpoints(); len(got) != 0 {
		t.Errorf("the next one leaves %v", got)
	}
}

func TestANodeThatIsGoneTakesItsSessionsAlong(t *testing.T) {
	h, a, b := cluster(t)
	for range 2 { // each node that is left says so
		a.take(session.Event{Kind: session.Left, Node: b.name})
	}
	if got := h.sessions(); got != "[on ejabberd@a]" {
		t.Errorf("after b is gone: %s", got)
	}
	h.pass(time.Minute)
	a.take(session.Event{Kind: session.Archive, Class: session.Message, Key: "s:1"})
	if woken := h.wakes(); len(woken) != 1 || woken["token-ejabberd@b"] != 1 {
		t.Errorf("archived after b is gone: woke %v, want b's phone", woken)
	}
	// It comes back as if nothing had been: it was cut off.
	b.take(session.Event{Kind: session.Queue, Session: "on ejabberd@b", Class: session.Message, Out: 1})
	for asked := ""; asked != session.Reporter(host, b.name); { // a's is still wanted too
		select {
		case asked = <-h.server.pictures:
		case <-time.After(30 * time.Second):
			t.Fatal("b was not asked for its picture")
		}
	}
}

// A server that told no nodes tells them from now on, as when the module is newer.
func TestSessionsFromBeforeNodesWereTold(t *testing.T) {
	h := newHouse(t)
	h.take(session.Event{Kind: session.Bind, Session: "on ejabberd@a"}, session.Event{Kind: session.Bind, Session: "on ejabberd@b"})
	a := &node{h: h, name: "ejabberd@a", epoch: 2}
	h.pass(time.Minute)
	a.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "on ejabberd@a"}, session.Event{Kind: session.PictureOff})
	if got := h.sessions(); got != "[on ejabberd@a]" {
		t.Errorf("after the first picture: %s", got)
	}
}

func TestNodesAreBounded(t *testing.T) {
	h := newHouse(t)
	for i := range business.MaxNodes + 1 {
		err := h.Take(t.Context(), session.Batch{Host: host, Node: fmt.Sprint("forged", i), Epoch: 1, Seq: 1})
		if (err == nil) != (i < business.MaxNodes) {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	if err := h.Take(t.Context(), session.Batch{Host: host, Node: "forged0", Epoch: 1, Seq: 2}); err != nil {
		t.Errorf("a node that is known: %v", err)
	}
	if err := h.Take(t.Context(), h.batch()); err != nil {
		t.Errorf("without a node: %v", err)
	}
}

// TestAfterASetbackAllNodesAreAsked, also where the process that hears of it has
// not heard of the nodes.
func TestAfterASetbackAllNodesAreAsked(t *testing.T) {
	h, a, _ := cluster(t)
	next := houseOn(t, h.store, func(c *gateway.Config) { c.Shared = true })
	next.Setback("failover")
	deadline := time.Now().Add(30 * time.Second)
	for {
		rep, err := h.store.Reporter(t.Context(), host)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Wanted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody noted it")
		}
		time.Sleep(10 * time.Millisecond)
	}
	next.LinkUp(t.Context())
	if asked := <-next.server.pictures; asked != host {
		t.Errorf("asked %q, want the whole host", asked)
	}
	a.h = next
	a.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureOff})
	if rep, err := h.store.Reporter(t.Context(), host); err != nil || rep.Wanted {
		t.Errorf("still wanted of the host: %+v, %v", rep, err)
	}
}
