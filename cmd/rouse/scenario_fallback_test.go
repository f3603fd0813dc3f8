package main

import (
	"context"
	"encoding/xml"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/pubsub"
	"rouse/servers/lab"
)

// thirdParty is somebody else's push service, which gives every publish the same verdict.
type thirdParty struct {
	*component.Component
	verdict pubsub.Verdict
	mu      sync.Mutex
	got     []pubsub.Notice // in order
}

func (s *thirdParty) Publish(_ context.Context, _ string, n pubsub.Notice) pubsub.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, n)
	return s.verdict
}

func (s *thirdParty) published() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var nodes []string
	for _, n := range s.got {
		nodes = append(nodes, n.Node)
	}
	return nodes
}

// another connects one of the lab's further components until the test ends.
func (p *play) another(c lab.Component, maxSent int) *component.Component {
	p.t.Helper()
	address, err := jid.Parse(c.JID)
	p.must(err)
	l, err := component.New(component.Config{
		JID: address, Addresses: []string{p.server.ComponentAddr()}, Secret: component.StaticSecret(c.Secret), MaxSent: maxSent,
		WriteTimeout: time.Minute, Idle: 2 * time.Minute, // a busy server takes its time for a stanza of 10 MB
	})
	p.must(err)
	return l
}

// connects runs a component until the test ends, or it is told to go.
func (p *play) connects(c *component.Component) (leaves func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	leaves = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(leaves)
	p.must(p.await(p.ctx, c.JID().String(), c.Connected))
	return leaves
}

// TestRouseIsAway: the server helps itself, and what it did is not done again.
func TestRouseIsAway(t *testing.T) {
	const fallback = 2 * time.Second
	other := lab.Component{JID: "push.other.test", Secret: "other"}
	both(t, wish{alone: true, fallback: fallback, components: []lab.Component{other}}, func(t *testing.T, p *play) {
		service := &thirdParty{Component: p.another(other, 0), verdict: pubsub.Accepted}
		service.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(service, false))
		p.connects(service.Component)
		publishes := func(n int) {
			t.Helper()
			p.must(p.await(p.ctx, "a publish to the third party", func() bool { return len(service.published()) >= n }))
			if got := service.published(); len(got) != n {
				t.Fatalf("the third party has had %q, want %d publishes", got, n)
			}
		}

		// juliet's phone is woken by rouse, her watch by somebody else.
		phone := p.device("phone")
		watch := p.client("juliet", "watch", lab.ClientOptions{})
		n := p.events("enable")
		p.must(watch.EnablePush(p.ctx, lab.Registration{Service: other.JID, Node: "watch", Secret: "s"}))
		p.saw("enable", n+1)
		p.sleeps(phone)
		p.sleeps(watch)
		p.chat("m1")
		p.were("phone")
		publishes(1) // by rouse's wish
		p.saw("answered", 1)
		p.settle()
		if d := p.decisions(); d["a3 wake"] != 2 || d["a3 sent"] != 2 {
			t.Fatalf("decided: %v", p.told())
		}
		publishes(1)

		p.kills()
		p.absent()
		gone := time.Now()
		p.must(p.await(p.ctx, "the time of the fallback", func() bool { return time.Since(gone) > 2*fallback }))
		p.sends(lab.Chat(p.juliet(), "m2", "body of m2"))
		publishes(2) // by the server itself

		p.starts()
		p.settle()
		p.were("phone", "phone")
		p.settle()
		if d := p.decisions(); d["a3 wake"] != 1 || d["a3 covered"] != 1 {
			t.Fatalf("of m2, for which the server has published, was decided: %v", p.told())
		}
		publishes(2)

		p.chat("m3")
		publishes(3)
		p.were("phone", "phone", "phone")
		p.settle()
		publishes(3)
	})
}

// TestTheModuleIsUnloaded: what the server's own push module knows was never taken
// from it. It publishes to rouse as to any push service, and rouse wakes by rule p.
func TestTheModuleIsUnloaded(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone, tablet := p.device("phone"), p.deviceOf("apns", "tablet")
		p.leaves(tablet)
		p.chat("m1")
		_, err := phone.AwaitBody(p.ctx, "body of m1")
		p.must(err)
		p.wants("tablet")
		pictures := p.logged("the picture is complete")

		p.must(p.server.UnloadModule(p.ctx))
		p.must(phone.Drop(p.ctx))
		p.sends(lab.Chat(p.juliet(), "m2", "body of m2"))
		p.were("phone", "tablet", "tablet")
		p.must(p.await(p.ctx, "rule p", func() bool { return p.decisions()["p sent"] == 2 }))

		resumed, err := phone.Login(p.ctx)
		p.must(err)
		if !resumed {
			t.Fatal("the session was not resumed")
		}
		_, err = phone.AwaitBody(p.ctx, "body of m2")
		p.must(err)
		p.must(p.server.LoadModule(p.ctx))
		p.pictured(pictures + 1)
		p.sleeps(phone)
		p.chat("m3")
		p.wants("phone", "phone", "tablet", "tablet", "tablet")
		if d := p.decisions(); d["p wake"] != 2 || d["a3 wake"] != 1 || d["b wake"] != 2 {
			t.Errorf("decided: %v", p.told())
		}
	})
}
