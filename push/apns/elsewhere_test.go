package apns

import (
	"net/http"
	"strings"
	"testing"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

// twoPlaces is a provider whose environments are one stand-in under two names, so
// that one key is good for both. What arrives at the other one comes by another
// connection.
func twoPlaces(t *testing.T) (*Provider, *pushtest.APNs) {
	t.Helper()
	a := standIn(t, pushtest.APNsOptions{})
	opts := options(t, a)
	opts.Other = strings.Replace(a.URL(), "127.0.0.1", "localhost", 1)
	return open(t, opts), a
}

func bad() pushtest.Reply {
	return pushtest.Reply{Status: http.StatusBadRequest, Reason: "BadDeviceToken"}
}

// TestATokenOfTheOtherEnvironment is tried there once, and goes there from then on.
func TestATokenOfTheOtherEnvironment(t *testing.T) {
	p, a := twoPlaces(t)
	a.Queue(bad())
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Fatalf("again: %+v", r)
	}
	got := a.Received()
	if len(got) != 3 || got[0].Peer == got[1].Peer || got[2].Peer != got[1].Peer || got[0].ID != got[1].ID {
		t.Fatalf("asked %+v", got)
	}

	// The device got a build of the other kind under the same token: home again.
	a.Queue(bad())
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Errorf("back home: %+v", r)
	}
	if got := a.Received(); len(got) != 5 || got[3].Peer != got[1].Peer || got[4].Peer != got[0].Peer {
		t.Errorf("asked %+v", got[3:])
	}
	if p.other.knows(wake(session.Message).Target.Token) {
		t.Error("it is still taken for one of the other environment")
	}
}

func TestATokenOfNoEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		there pushtest.Reply
		want  push.Outcome
		asked int // after a second wake
	}{
		"unknown there too":      {bad(), push.TokenGone, 4},
		"gone there":             {pushtest.Reply{Status: http.StatusGone, Reason: "Unregistered"}, push.TokenGone, 4},
		"nobody there now":       {pushtest.Reply{Status: http.StatusServiceUnavailable}, push.Unavailable, 4},
		"we are not let in":      {pushtest.Reply{Status: http.StatusForbidden, Reason: "BadEnvironmentKeyIdInToken"}, push.TokenGone, 3},
		"our topic is not known": {pushtest.Reply{Status: http.StatusBadRequest, Reason: "TopicDisallowed"}, push.TokenGone, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p, a := twoPlaces(t)
			for range 2 {
				a.Queue(bad())
				if p.other.open() {
					a.Queue(c.there)
				}
				if r := send(t, p, wake(session.Message)); r.Outcome != c.want || r.Outcome == push.TokenGone && name != "gone there" && !r.Doubtful {
					t.Errorf("%+v", r)
				}
			}
			if n := len(a.Received()); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

// TestNoOtherEnvironment: none is asked where the app has none, nor by a check.
func TestNoOtherEnvironment(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	opts := options(t, a)
	if p := open(t, opts); p.other != nil {
		t.Error("an endpoint of its own has another one at Apple")
	}
	opts.Endpoint = ""
	for _, sandbox := range []bool{false, true} {
		opts.Sandbox = sandbox
		p := open(t, opts)
		if hosts := []string{p.home.client.Host, p.other.client.Host}; hosts[0] == hosts[1] || strings.Contains(hosts[0], "sandbox") != sandbox {
			t.Errorf("sandbox %v: %v", sandbox, hosts)
		}
	}
	opts.Other = Nowhere
	if p := open(t, opts); p.other != nil {
		t.Error("none is one")
	}
	p, b := twoPlaces(t)
	if err := p.Check(t.Context()); err != nil || len(b.Received()) != 1 {
		t.Errorf("check: %v, asked %d times", err, len(b.Received()))
	}
}

func TestTokensElsewhereAreBounded(t *testing.T) {
	p, _ := twoPlaces(t)
	for i := range 2 * maxKnown {
		p.other.learn(strings.Repeat("x", i), push.Result{Outcome: push.Delivered, Reason: "200"})
	}
	if n := len(p.other.known); n != maxKnown {
		t.Errorf("%d are remembered", n)
	}
}
