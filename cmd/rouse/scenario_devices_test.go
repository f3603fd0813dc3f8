package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/pubsub"
	"rouse/servers/lab"
)

// TestTheFirstPicture: rouse has never been told of the session, and finds it
// asleep, with a message in its queue.
func TestTheFirstPicture(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		p.must(p.server.UnloadModule(p.ctx))
		phone := p.client("juliet", "phone", lab.ClientOptions{})
		p.must(phone.EnablePush(p.ctx, p.register("fcm", phone, "phone", "phone")))
		p.kills()
		// Nothing comes of the server's own publish, and it keeps the registration.
		busy := &thirdParty{Component: p.another(p.server.Rouse(), 0), verdict: pubsub.Later}
		busy.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(busy, false))
		leaves := p.connects(busy.Component)
		p.must(phone.Drop(p.ctx))
		p.sends(lab.Chat(p.juliet(), "m1", "body of m1"))
		p.must(p.await(p.ctx, "the server's own publish", func() bool { return len(busy.published()) > 0 }))
		leaves()
		p.must(p.server.LoadModule(p.ctx))
		p.starts()
		p.wants("phone")
	})
}

// TestTheStoreIsLost: devices and servers hold nodes that rouse issued and does
// not know any more. Nobody loses the registration by that; the next time that
// the app registers, all is as before.
func TestTheStoreIsLost(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone := p.device("phone")
		p.sleeps(phone)
		p.chat("m1")
		p.wants("phone")
		p.kills()
		p.sends(lab.Chat(p.juliet(), "m2", "body of m2"))
		files, err := filepath.Glob(filepath.Join(p.dir, "rouse.db*"))
		p.must(err)
		if len(files) == 0 {
			t.Fatal("there is no store")
		}
		for _, f := range files {
			if filepath.Ext(f) != ".key" {
				p.must(os.Remove(f))
			}
		}
		pictures := p.logged("the picture is complete")
		p.starts()
		p.pictured(pictures + 1)
		p.must(p.await(p.ctx, "the wake that has no target", func() bool { return p.decisions()["none dead"] == 1 }))

		p.must(p.server.UnloadModule(p.ctx))
		p.sends(lab.Chat(p.juliet(), "m3", "body of m3"))
		p.refused("wait")
		p.must(p.server.LoadModule(p.ctx))
		p.pictured(pictures + 2)

		before := p.nodes["phone"]
		p.wakesUp(phone)
		p.enable(phone, "phone")
		if r := p.nodes["phone"]; r != before {
			t.Errorf("the device got %+v, and before %+v", r, before)
		}
		p.sleeps(phone)
		p.chat("m4")
		p.were("phone", "phone")
	})
}
