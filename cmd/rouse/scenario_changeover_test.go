package main

import (
	"encoding/xml"
	"testing"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/pubsub"
	"rouse/servers/lab"
)

// TestChangeOver: a host whose clients have registered with the server's own push
// module is switched to rouse, and back. The phone, which rouse wakes, and the
// watch, which somebody else wakes, sleep all the while; no client does anything.
func TestChangeOver(t *testing.T) {
	other := lab.Component{JID: "push.other.test", Secret: "other"}
	both(t, wish{alone: true, noModule: true, components: []lab.Component{other}}, func(t *testing.T, p *play) {
		service := &thirdParty{Component: p.another(other, 0), verdict: pubsub.Accepted}
		service.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(service, false))
		p.connects(service.Component)
		published := func(n int) {
			t.Helper()
			p.must(p.await(p.ctx, "a publish to the third party", func() bool { return len(service.published()) >= n }))
			if got := service.published(); len(got) != n {
				t.Fatalf("the third party has had %q, want %d publishes", got, n)
			}
		}
		decided := func(what string, n int) {
			t.Helper()
			p.must(p.await(p.ctx, what, func() bool { return p.decisions()[what] >= n }))
			if d := p.decisions(); d[what] != n {
				t.Fatalf("decided: %v, want %d of %q", p.told(), n, what)
			}
		}

		phone, watch := p.client("juliet", "phone", lab.ClientOptions{}), p.client("juliet", "watch", lab.ClientOptions{})
		p.must(phone.EnablePush(p.ctx, p.register("fcm", phone, "phone", "phone")))
		p.must(watch.EnablePush(p.ctx, lab.Registration{Service: other.JID, Node: "watch", Secret: "s"}))
		p.must(phone.Drop(p.ctx))
		p.must(watch.Drop(p.ctx))
		p.sends(lab.Chat(p.juliet(), "m1", "body of m1"))
		p.were("phone")
		published(1)
		decided("p sent", 1)

		// Nobody can tell rouse who was woken before it was there: for what waits it wakes once more.
		p.must(p.server.ChangeOver(p.ctx, true))
		p.pictured(1)
		p.settle()
		p.were("phone", "phone")
		published(2)
		decided("a2 sent", 2)
		p.chat("m2")
		p.were("phone", "phone", "phone")
		published(3)
		p.settle()
		decided("a3 sent", 2)
		decided("p sent", 1) // the server is silent

		p.must(p.server.ChangeOver(p.ctx, false))
		p.sends(lab.Chat(p.juliet(), "m3", "body of m3"))
		p.were("phone", "phone", "phone", "phone")
		published(4)
		decided("p sent", 2)

		resumed, err := phone.Login(p.ctx)
		p.must(err)
		if !resumed {
			t.Error("the phone's session did not survive the changes")
		}
		for _, id := range []string{"m1", "m2", "m3"} {
			_, err := phone.AwaitBody(p.ctx, "body of "+id)
			p.must(err)
		}
	})
}
