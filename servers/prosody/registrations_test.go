package prosody_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"rouse/servers/lab"
)

// fingerprint is how docs/events.md shows a publish secret.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}

func TestRegistrations(t *testing.T) {
	r := newRig(t)
	phone, tablet := r.login("alice/phone"), r.login("alice/tablet")
	reg := lab.Registration{Service: "push.elsewhere.example", Node: "node1", Secret: "s3cret"}
	r.check(phone.EnablePush(r.ctx, reg))
	enable := r.event("enable", "user", "alice")
	r.want(enable, "service", reg.Service, "node", "node1", "secret", fingerprint("s3cret"), "resource", "phone")
	if enable.attr("sid") == "" {
		t.Errorf("%v: no sid", enable)
	}
	reg.Secret = "another"
	r.check(phone.EnablePush(r.ctx, reg))
	r.want(r.event("enable", "user", "alice"), "secret", fingerprint("another"), "sid", enable.attr("sid"))
	reg.Node, reg.Secret = "node2", ""
	r.check(phone.EnablePush(r.ctx, reg))
	r.want(r.event("enable", "user", "alice"), "secret", "", "node", "node2")
	r.nothing("disable")

	// Any client may disable any registration, and without a node all of a service.
	r.check(tablet.DisablePush(r.ctx, reg.Service, "node1"))
	r.want(r.event("disable", "user", "alice"), "service", reg.Service, "node", "node1", "sid", "")
	r.check(tablet.DisablePush(r.ctx, reg.Service, "node1"))
	r.nothing("disable", "enable")
	for i := range 5 { // node2 is the oldest of six and goes
		reg.Node = fmt.Sprintf("node-%c", 'a'+i)
		r.check(phone.EnablePush(r.ctx, reg))
	}
	r.want(r.event("disable", "user", "alice"), "node", "node2")
	r.event("enable", "user", "alice", "node", "node-e")
	r.check(phone.DisablePush(r.ctx, reg.Service, ""))
	gone := map[string]bool{}
	for range 5 {
		gone[r.event("disable", "user", "alice").attr("node")] = true
	}
	if len(gone) != 5 {
		t.Errorf("gone are %v, want all five", gone)
	}
	r.nothing("disable", "enable")
}

func TestDeleted(t *testing.T) {
	r := newRig(t)
	phone := r.login("carol/phone")
	r.check(phone.EnablePush(r.ctx, lab.Registration{Service: "push.elsewhere.example", Node: "n"}))
	r.event("enable", "user", "carol")
	_, err := r.p.Shell(r.ctx, `user:delete("`+r.jid("carol")+`")`)
	r.check(err)
	r.event("ended", "user", "carol")
	r.event("deleted", "user", "carol", "sid", "")
}

// What Conversations asks of a push service, and what it then tells its server.
func TestRegister(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	r.f.answers(func(e element) string {
		command, ok := e.child("command")
		if !ok {
			return ""
		}
		want := "<x type='submit'><field var='token'><value><field var='android-id'><value>"
		if got := command.Children[0].String(); command.attr("node") != "register-push-fcm" || command.attr("action") != "execute" || got != want {
			t.Errorf("%v: want a form like %s", command, want)
		}
		return "<command xmlns='http://jabber.org/protocol/commands' node='register-push-fcm' sessionid='1' status='completed'><x xmlns='jabber:x:data' type='form'>" +
			"<field var='jid'><value>push.example.test</value></field><field var='node'><value>n1</value></field><field var='secret'><value>s1</value></field></x></command>"
	})
	reg, err := phone.Register(r.ctx, r.p.Rouse().JID, "fcm", "token", "device")
	r.check(err)
	if want := (lab.Registration{Service: "push.example.test", Node: "n1", Secret: "s1"}); reg != want {
		t.Fatalf("registered %v, want %v", reg, want)
	}
	r.check(phone.EnablePush(r.ctx, reg))
	r.want(r.event("enable", "user", "alice"), "node", "n1", "secret", fingerprint("s1"))
}
