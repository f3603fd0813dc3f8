package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rouse/gateway"
	"rouse/session"
)

func TestPublishAnswers(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	other, _ := gateway.NewNodes(strings.Repeat("ab", gateway.KeySize))
	lost := h.nodes.Issue("fcm", "never registered")
	for _, c := range []struct {
		name string
		p    gateway.PublishRequest
		want gateway.Answer
	}{
		{"right", gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret, Class: session.Message}, gateway.Accepted},
		{"wrong secret", gateway.PublishRequest{From: host, Node: ep.Node, Secret: "guess"}, gateway.Forbidden},
		{"no secret", gateway.PublishRequest{From: host, Node: ep.Node}, gateway.Forbidden},
		{"wrong domain", gateway.PublishRequest{From: "evil.example", Node: ep.Node, Secret: secret}, gateway.Forbidden},
		{"node of another key", gateway.PublishRequest{From: host, Node: other.Issue("fcm", "phone"), Secret: secret}, gateway.NoNode},
		{"no node at all", gateway.PublishRequest{From: host, Node: "node-alice"}, gateway.NoNode},
		{"ours, and not in the store", gateway.PublishRequest{From: host, Node: lost, Secret: h.nodes.Secret(lost)}, gateway.Later},
	} {
		if got := h.Publish(t.Context(), c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Wake.Rule != "p" {
		t.Errorf("claimed %+v", jobs)
	}
	if strings.Contains(h.log.String(), lost) {
		t.Error("a whole node stands in the log")
	}
}

func TestManyAccountsAtOnceShareCommits(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 64 {
		wg.Go(func() {
			node, secret, err := h.Register(t.Context(), gateway.RegisterRequest{Account: "u@elsewhere.example", Provider: "fcm", App: "chat", Token: "t", Device: fmt.Sprint(i)})
			if err == nil {
				for range 20 {
					if a := h.Publish(t.Context(), gateway.PublishRequest{From: "elsewhere.example", Node: node, Secret: secret, Class: session.Message}); a != gateway.Accepted {
						err = fmt.Errorf("answer %v", a)
					}
				}
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for _, j := range h.claim() {
		total += j.Wake.Count
	}
	if total != 64*20 {
		t.Errorf("%d publishes are owed, want %d", total, 64*20)
	}
}

func TestClosedRefuses(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.Close()
	if got := h.Publish(t.Context(), gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret}); got != gateway.Later {
		t.Errorf("answer %v, want later", got)
	}
}

func TestNodesAreStableAndOurs(t *testing.T) {
	n, _ := gateway.NewNodes(key)
	node := n.Issue("fcm", "device")
	if len(node) != 32 || !n.Ours(node) || node != n.Issue("fcm", "device") || node == n.Issue("apns", "device") {
		t.Errorf("node %q", node)
	}
	seen := []string{node}
	for i := range len(node) {
		forged := []byte(node)
		forged[i] ^= 1
		if n.Ours(string(forged)) {
			t.Errorf("%s passes as ours", forged)
		}
		if slices.Contains(seen, string(forged)) {
			t.Error("the forgery is no forgery")
		}
	}
	for _, bad := range []string{"", "abc", key + "00", strings.Repeat("x", 64)} {
		if _, err := gateway.NewNodes(bad); err == nil {
			t.Errorf("key %q was taken", bad)
		}
	}
}
