package main

import (
	"os"
	"path/filepath"
	"testing"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestTheFirstPicture: rouse has never been told of the session, and finds it
// asleep, with a message in its queue.
func TestTheFirstPicture(t *testing.T) {
	p := begin(t, lab.Options{NoModule: true, HostLua: `rouse_component = "push.example.test"`})
	phone := p.client("juliet", "phone", lab.ClientOptions{})
	r, err := phone.Register(p.ctx, p.prosody.Rouse().JID, "fcm", pushtest.FCMToken("phone"), "phone")
	p.must(err)
	p.must(phone.EnablePush(p.ctx, r))
	p.nodes["phone"] = r
	p.kills() // so that nothing comes of Prosody's own publish
	p.must(phone.Drop(p.ctx))
	p.sends(lab.Chat(juliet, "m1", "body of m1"))
	p.prosodyLogs("Got error <wait:")
	p.must(p.prosody.Load(p.ctx, "rouse"))
	p.starts()
	p.wants("phone")
}

// TestTheStoreIsLost: devices and servers hold nodes that rouse issued and does
// not know any more. Nobody loses the registration by that; the next time that
// the app registers, all is as before.
func TestTheStoreIsLost(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.sleeps(phone)
	p.chat("m1")
	p.wants("phone")
	p.kills()
	p.sends(lab.Chat(juliet, "m2", "body of m2"))
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

	p.must(p.prosody.Unload(p.ctx, "rouse"))
	p.sends(lab.Chat(juliet, "m3", "body of m3"))
	p.prosodyLogs("Got error <wait:internal-server-error")
	p.must(p.prosody.Load(p.ctx, "rouse"))
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
}
