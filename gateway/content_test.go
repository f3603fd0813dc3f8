package gateway_test

import (
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
)

// TestContent: what was encrypted goes with the wake; who wrote what only to apps
// that are told; the newest counts, and nothing is kept once it was sent.
func TestContent(t *testing.T) {
	h := houseOn(t, newHouse(t).store, func(c *gateway.Config) {
		c.Tells = func(app string) bool { return app == "tells" }
	})
	for _, app := range []string{"tells", "mute"} {
		node, secret := h.registers(gateway.RegisterRequest{Account: romeo, Provider: app, App: app, Token: app, Device: app}, nil)
		said := func(c session.Content) {
			t.Helper()
			h.publishes(gateway.PublishRequest{From: elsewhere, Node: node, Secret: secret, Content: c}, gateway.Accepted)
		}
		next := func() session.Job {
			t.Helper()
			jobs := h.claim()
			if len(jobs) != 1 {
				t.Fatalf("claimed %+v", jobs)
			}
			return jobs[0]
		}
		said(session.Content{Encrypted: "old", IV: "iv"})
		said(session.Content{Encrypted: "new", IV: "iv", Sender: "juliet@example.org", Body: "art thou not romeo"})
		j := next()
		if j.Content == nil || j.Content.Encrypted != "new" || (j.Content.Body != "") != (app == "tells") {
			t.Errorf("%s: %+v", app, j.Content)
		}
		if err := h.Settle(t.Context(), j, session.Settlement{Verdict: session.Again, At: h.clock(), Due: h.clock().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Second)
		if j = next(); j.Content == nil {
			t.Errorf("%s: nothing is said at the second try", app)
		}
		if err := h.Settle(t.Context(), j, session.Settlement{Verdict: session.Sent, At: h.clock()}); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		said(session.Content{})
		if j = next(); j.Content != nil {
			t.Errorf("%s: what was sent is said again: %+v", app, j.Content)
		}
	}
}
