package prosody_test

import (
	"fmt"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

func TestRegistrations(t *testing.T) {
	r := newRig(t)
	phone, tablet := r.Login("alice/phone"), r.Login("alice/tablet")
	reg := lab.Registration{Service: "push.elsewhere.example", Node: "node1", Secret: "s3cret"}
	r.Check(phone.EnablePush(r.Ctx, reg))
	enable := r.Event("enable", "user", "alice")
	r.Want(enable, "service", reg.Service, "node", "node1", "secret", servertest.Fingerprint("s3cret"), "resource", "phone")
	if enable.Attr("sid") == "" {
		t.Errorf("%v: no sid", enable)
	}
	reg.Secret = "another"
	r.Check(phone.EnablePush(r.Ctx, reg))
	r.Want(r.Event("enable", "user", "alice"), "secret", servertest.Fingerprint("another"), "sid", enable.Attr("sid"))
	reg.Node, reg.Secret = "node2", ""
	_, err := phone.IQ(r.Ctx, "", "set", "<enable xmlns='urn:xmpp:push:0' jid='"+reg.Service+"' node='node2'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pushModule'><value>monalProdiOS</value></field></x></enable>")
	r.Check(err)
	r.Want(r.Event("enable", "user", "alice"), "secret", "", "node", "node2", "module", "monalProdiOS")
	r.Nothing("disable")

	// Any client may disable any registration, and without a node all of a service.
	r.Check(tablet.DisablePush(r.Ctx, reg.Service, "node1"))
	r.Want(r.Event("disable", "user", "alice"), "service", reg.Service, "node", "node1", "sid", "")
	r.Check(tablet.DisablePush(r.Ctx, reg.Service, "node1"))
	r.Nothing("disable", "enable")
	for i := range 5 { // node2 is the oldest of six and goes
		reg.Node = fmt.Sprintf("node-%c", 'a'+i)
		r.Check(phone.EnablePush(r.Ctx, reg))
	}
	r.Want(r.Event("disable", "user", "alice"), "node", "node2")
	r.Event("enable", "user", "alice", "node", "node-e")
	r.Check(phone.DisablePush(r.Ctx, reg.Service, ""))
	gone := map[string]bool{}
	for range 5 {
		gone[r.Event("disable", "user", "alice").Attr("node")] = true
	}
	if len(gone) != 5 {
		t.Errorf("gone are %v, want all five", gone)
	}
	r.Nothing("disable", "enable")
}

func TestDeleted(t *testing.T) {
	r := newRig(t)
	phone := r.Login("carol/phone")
	r.Check(phone.EnablePush(r.Ctx, lab.Registration{Service: "push.elsewhere.example", Node: "n"}))
	r.Event("enable", "user", "carol")
	_, err := r.p.Shell(r.Ctx, `user:delete("`+r.JID("carol")+`")`)
	r.Check(err)
	r.Event("ended", "user", "carol")
	r.Event("deleted", "user", "carol", "sid", "")
}

// What Conversations asks of a push service, and what it then tells its server.
func TestRegister(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.F.Answers(func(e servertest.Element) string {
		command, ok := e.Child("command")
		if !ok {
			return ""
		}
		want := "<x type='submit'><field var='token'><value><field var='android-id'><value>"
		if got := command.Children[0].String(); command.Attr("node") != "register-push-fcm" || command.Attr("action") != "execute" || got != want {
			t.Errorf("%v: want a form like %s", command, want)
		}
		return "<command xmlns='http://jabber.org/protocol/commands' node='register-push-fcm' sessionid='1' status='completed'><x xmlns='jabber:x:data' type='form'>" +
			"<field var='jid'><value>push.example.test</value></field><field var='node'><value>n1</value></field><field var='secret'><value>s1</value></field></x></command>"
	})
	reg, err := phone.Register(r.Ctx, r.p.Rouse().JID, "fcm", "token", "device")
	r.Check(err)
	if want := (lab.Registration{Service: "push.example.test", Node: "n1", Secret: "s1"}); reg != want {
		t.Fatalf("registered %v, want %v", reg, want)
	}
	r.Check(phone.EnablePush(r.Ctx, reg))
	r.Want(r.Event("enable", "user", "alice"), "node", "n1", "secret", servertest.Fingerprint("s1"))
}
