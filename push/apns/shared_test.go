package apns

import (
	"testing"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

// TestOneConnectionForAKey: its apps share one, until the last of them ends.
func TestOneConnectionForAKey(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{Topics: []string{topic, "org.example.other"}})
	opts := options(t, a)
	one := open(t, opts)
	opts.Topic = "org.example.other"
	other := open(t, opts)
	peers := func() map[string]int {
		n := make(map[string]int)
		for _, r := range a.Received() {
			n[r.Peer]++
		}
		return n
	}
	for _, p := range []*Provider{one, other, one} {
		if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
			t.Fatalf("%+v", r)
		}
	}
	if n := peers(); len(n) != 1 {
		t.Errorf("connections: %v", n)
	}
	one.Close()
	one.Close() // twice does not count twice
	if r := send(t, other, wake(session.Message)); r.Outcome != push.Delivered || len(peers()) != 1 {
		t.Errorf("after the end of one: %+v, connections %v", r, peers())
	}
	other.Close()
	if r := send(t, other, wake(session.Message)); r.Outcome != push.Unavailable {
		t.Errorf("after the end of all: %+v", r)
	}
	if r := send(t, open(t, opts), wake(session.Message)); r.Outcome != push.Delivered || len(peers()) != 2 {
		t.Errorf("a new app: %+v, connections %v", r, peers())
	}

	// By another way it is another connection.
	proxy, err := pushtest.NewProxy("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	opts.Proxy = proxy.URL()
	if r := send(t, open(t, opts), wake(session.Message)); r.Outcome != push.Delivered || len(proxy.Asked()) != 1 {
		t.Errorf("by a proxy: %+v, asked for %v", r, proxy.Asked())
	}
}
