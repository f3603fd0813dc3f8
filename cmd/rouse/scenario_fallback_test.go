package main

import (
	"context"
	"encoding/xml"
	"slices"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/pubsub"
	"rouse/servers/lab"
)

// thirdParty is somebody else's push service, which takes every publish.
type thirdParty struct {
	*component.Component
	mu    sync.Mutex
	nodes []string // published to, in order
}

func (s *thirdParty) Publish(_ context.Context, _ string, n pubsub.Notice) pubsub.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, n.Node)
	return pubsub.Accepted
}

func (s *thirdParty) published() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.nodes)
}

// another connects one of the lab's further components until the test ends.
func (p *play) another(c lab.Component, maxSent int) *component.Component {
	p.t.Helper()
	address, err := jid.Parse(c.JID)
	p.must(err)
	l, err := component.New(component.Config{
		JID: address, Addresses: []string{p.prosody.ComponentAddr()}, Secret: component.StaticSecret(c.Secret), MaxSent: maxSent,
	})
	p.must(err)
	return l
}

// connects runs a component until the test ends.
func (p *play) connects(c *component.Component) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
	p.must(p.await(p.ctx, c.JID().String(), c.Connected))
}

// TestRouseIsAway: Prosody helps itself, and what it did is not done again.
func TestRouseIsAway(t *testing.T) {
	const fallback = 2 * time.Second // rouse_fallback
	other := lab.Component{JID: "push.other.test", Secret: "other"}
	p := begin(t, lab.Options{HostLua: "rouse_fallback = 2", Components: []lab.Component{other}})
	service := &thirdParty{Component: p.another(other, 0)}
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
	p.prosodyLogs("component disconnected: push.example.test")
	gone := time.Now()
	p.must(p.await(p.ctx, "the time of the fallback", func() bool { return time.Since(gone) > fallback }))
	p.sends(lab.Chat(juliet, "m2", "body of m2"))
	publishes(2) // by Prosody itself

	p.starts()
	p.settle()
	p.were("phone", "phone")
	p.settle()
	if d := p.decisions(); d["a3 wake"] != 1 || d["a3 covered"] != 1 {
		t.Fatalf("of m2, for which Prosody has published, was decided: %v", p.told())
	}
	publishes(2)

	p.chat("m3")
	publishes(3)
	p.were("phone", "phone", "phone")
	p.settle()
	publishes(3)
}

// TestTheModuleIsUnloaded: what mod_cloud_notify knows was never taken from it.
// It publishes to rouse as to any push service, and rouse wakes by rule p.
func TestTheModuleIsUnloaded(t *testing.T) {
	p := begin(t, lab.Options{})
	phone, tablet := p.device("phone"), p.deviceOf("apns", "tablet")
	p.leaves(tablet)
	p.chat("m1")
	_, err := phone.AwaitBody(p.ctx, "body of m1")
	p.must(err)
	p.wants("tablet")
	pictures := p.logged("the picture is complete")

	p.must(p.prosody.Unload(p.ctx, "rouse"))
	p.must(phone.Drop(p.ctx))
	p.sends(lab.Chat(juliet, "m2", "body of m2"))
	p.were("phone", "tablet", "tablet")
	p.must(p.await(p.ctx, "rule p", func() bool { return p.decisions()["p sent"] == 2 }))

	resumed, err := phone.Login(p.ctx)
	p.must(err)
	if !resumed {
		t.Fatal("the session was not resumed")
	}
	_, err = phone.AwaitBody(p.ctx, "body of m2")
	p.must(err)
	p.must(p.prosody.Load(p.ctx, "rouse"))
	p.pictured(pictures + 1)
	p.sleeps(phone)
	p.chat("m3")
	p.wants("phone", "phone", "tablet", "tablet", "tablet")
	if d := p.decisions(); d["p wake"] != 2 || d["a3 wake"] != 1 || d["b wake"] != 2 {
		t.Errorf("decided: %v", p.told())
	}
}
