package main

import (
	"encoding/xml"
	"os"
	"strings"
	"syscall"
	"testing"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/pubsub"
	"rouse/servers/lab"
)

// relays begins a play with somebody else's push service, at which juliet's watch
// is registered.
func (p *play) relays(other lab.Component, settings string) (*thirdParty, *lab.Client) {
	p.t.Helper()
	service := &thirdParty{Component: p.another(other, 0), verdict: pubsub.Accepted}
	service.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(service, false))
	p.connects(service.Component)
	p.relay(settings)
	watch := p.client("juliet", "watch", lab.ClientOptions{})
	n := p.events("enable")
	p.must(watch.EnablePush(p.ctx, lab.Registration{Service: other.JID, Node: "watch", Secret: "s of the watch"}))
	p.saw("enable", n+1)
	return service, watch
}

// relay has rouse read another [relay].
func (p *play) relay(settings string) {
	p.t.Helper()
	text, err := os.ReadFile(p.config())
	p.must(err)
	before, _, _ := strings.Cut(string(text), "[relay]\n")
	p.must(os.WriteFile(p.config(), []byte(before+"[relay]\n"+settings+"\n"), 0o600))
	n := p.logged("the configuration was reloaded")
	p.must(p.rouse.Process.Signal(syscall.SIGHUP))
	p.must(p.await(p.ctx, "the configuration to be read again", func() bool { return p.logged("the configuration was reloaded") > n }))
}

// gives says how the service answers from now on.
func (s *thirdParty) gives(v pubsub.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict = v
}

// notices waits for so many publishes in all, and gives the last.
func (p *play) notices(s *thirdParty, n int) pubsub.Notice {
	p.t.Helper()
	p.must(p.await(p.ctx, "publishes to the third party", func() bool { return len(s.published()) >= n }))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) != n {
		p.t.Fatalf("the third party has had %d publishes, want %d", len(s.got), n)
	}
	return s.got[n-1]
}

// TestThirdParties: the push service of an app that is none of ours is told by the
// account's server what the operator of rouse allows, and what was written never.
func TestThirdParties(t *testing.T) {
	other := lab.Component{JID: "push.other.test", Secret: "other"}
	both(t, wish{alone: true, coalesce: "0s", components: []lab.Component{other}}, func(t *testing.T, p *play) {
		service, watch := p.relays(other, `body = "New Message!"`)
		p.sleeps(watch)
		p.chat("m1")
		n := p.notices(service, 1)
		if n.Node != "watch" || n.Options.Get("secret") != "s of the watch" || n.Count != 1 || n.Content.Body != "New Message!" || n.Content.Sender != "" {
			t.Errorf("of m1 the third party reads %+v", n)
		}
		p.relay("sender = true\nbody = \"Neue Nachricht\"")
		p.chat("m2")
		n = p.notices(service, 2)
		if n.Content.Body != "Neue Nachricht" || n.Content.Sender != "romeo@"+p.server.Host()+"/desk" {
			t.Errorf("of m2 the third party reads %+v", n)
		}
		p.relay(`body = ""`)
		p.chat("m3")
		if n = p.notices(service, 3); n.Content.Body != "" || n.Content.Sender != "" || n.Count != 1 {
			t.Errorf("of m3 the third party reads %+v", n)
		}
		p.saw("answered", 3)
		p.settle()
		if d := p.decisions(); d["a3 wake"] != 3 || d["a3 sent"] != 3 {
			t.Errorf("decided: %v", p.told())
		}
		p.noSecrets("body of m1", "s of the watch", "/desk")
	})
}

// TestThirdPartiesFaults: no fault of a push service costs the registration, only
// its word that the node is not there.
func TestThirdPartiesFaults(t *testing.T) {
	other := lab.Component{JID: "push.other.test", Secret: "other"}
	both(t, wish{alone: true, coalesce: "0s", components: []lab.Component{other}}, func(t *testing.T, p *play) {
		service, watch := p.relays(other, "")
		p.sleeps(watch)
		had := 0
		for id, v := range map[string]pubsub.Verdict{"wait": pubsub.Later, "auth": pubsub.Forbidden} {
			again, sent := p.decisions()["a3 again"], p.decisions()["a3 sent"]
			service.gives(v)
			p.chat(id)
			p.must(p.await(p.ctx, "a try that failed", func() bool { return p.decisions()["a3 again"] > again }))
			service.gives(pubsub.Accepted)
			p.must(p.await(p.ctx, "the wake", func() bool { return p.decisions()["a3 sent"] == sent+1 }))
			if tries := len(service.published()) - had; tries < 2 {
				t.Errorf("%s: %d tries", id, tries)
			}
			had = len(service.published())
		}
		service.gives(pubsub.NoNode)
		p.chat("gone")
		p.must(p.await(p.ctx, "the end of the endpoint", func() bool { return p.decisions()["none dead"] == 1 }))
		service.gives(pubsub.Accepted)
		p.chat("after")
		if n := len(service.published()); n != had+1 {
			t.Errorf("asked %d times more, after it said that there is no such node", n-had-1)
		}
	})
}
