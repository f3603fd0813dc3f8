package gateway_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
	"rouse/store/sqlite"
)

// watcher is an Observer that counts nodes that the store does not know.
type watcher struct{ unknown atomic.Int32 }

func (*watcher) Event(session.Kind)               {}
func (*watcher) Decision(string, session.Verdict) {}
func (c *watcher) UnknownNode()                   { c.unknown.Add(1) }

// withoutStore is a house whose store was lost: the key was kept, and nothing else.
func withoutStore(t *testing.T) (*house, *watcher) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := new(watcher)
	return houseOn(t, st, func(c *gateway.Config) { c.Observer = seen }), seen
}

// TestTheStoreIsLost: servers keep the registrations of devices that we do not
// know any more, each one is counted, and the log is not flooded.
func TestTheStoreIsLost(t *testing.T) {
	h, seen := withoutStore(t)
	node := h.nodes.Issue("fcm", "phone")
	publish := func() gateway.Answer {
		return h.Publish(t.Context(), gateway.PublishRequest{From: host, Node: node, Secret: h.nodes.Secret(node), Class: session.Message})
	}
	logged := func() int { return strings.Count(h.log.String(), "a node that was issued here is not in the store") }
	for range 3 {
		if got := publish(); got != gateway.Later {
			t.Fatalf("answer %v, want later", got)
		}
	}
	if n := seen.unknown.Load(); n != 3 || logged() != 1 {
		t.Errorf("3 publishes: counted %d, logged %d times", n, logged())
	}
	h.pass(11 * time.Minute)
	publish()
	if n := seen.unknown.Load(); n != 4 || logged() != 2 || !strings.Contains(h.log.String(), "times=3 ") {
		t.Errorf("counted %d, logged %d times:\n%s", n, logged(), h.log)
	}
	if !strings.Contains(h.log.String(), "hint=") || strings.Contains(h.log.String(), node) {
		t.Errorf("the log has no remedy, or a whole node:\n%s", h.log)
	}
	h.device("phone")
	if got := publish(); got != gateway.Accepted {
		t.Errorf("the device registered again, and the answer is %v", got)
	}
	if n := seen.unknown.Load(); n != 4 {
		t.Errorf("counted %d, after the device came back", n)
	}
}

// TestTheStoreIsLostAndTheServerReports: the same for devices that the server's
// module reports. Nothing is counted of nodes that are not ours.
func TestTheStoreIsLostAndTheServerReports(t *testing.T) {
	h, seen := withoutStore(t)
	node := h.nodes.Issue("fcm", "phone")
	ep, secret := session.Address{Service: us, Node: node}, h.nodes.Secret(node)
	h.take(sleeping(ep, secret)...)
	if jobs := h.claim(); len(jobs) != 0 || seen.unknown.Load() != 1 {
		t.Fatalf("claimed %+v, counted %d", jobs, seen.unknown.Load())
	}
	if got, _ := h.device("phone"); got != ep {
		t.Fatalf("registered again it is %v, was %v", got, ep)
	}
	h.take(session.Event{Kind: session.Queue, Session: "s1", Out: 2, Class: session.Message, Key: "k"})
	h.pass(time.Minute)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "token-phone" || seen.unknown.Load() != 1 {
		t.Errorf("claimed %+v, counted %d\n%s", jobs, seen.unknown.Load(), h.reasons())
	}
}

// TestATombstoneIsNoLoss: a device that was taken out is not an alarm.
func TestATombstoneIsNoLoss(t *testing.T) {
	h, seen := withoutStore(t)
	ep, secret := h.device("phone")
	if err := h.store.Unregister(t.Context(), ep.Node, "asked", h.clock()); err != nil {
		t.Fatal(err)
	}
	got := h.Publish(t.Context(), gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret})
	if got != gateway.NoNode || seen.unknown.Load() != 0 {
		t.Errorf("answer %v, counted %d", got, seen.unknown.Load())
	}
}
