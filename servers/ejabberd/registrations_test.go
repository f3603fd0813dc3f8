package ejabberd_test

import (
	"fmt"
	"strings"
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
	// mod_push knows registrations by the session that made them, and takes both.
	r.Want(r.Event("disable", "user", "alice"), "service", reg.Service, "node", "node1", "sid", "")
	r.Want(r.Event("disable", "user", "alice"), "service", reg.Service, "node", "node2", "sid", "")
	answer, err := tablet.IQ(r.Ctx, "", "set", "<disable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example' node='node1'/>")
	r.Check(err)
	if !strings.Contains(answer, "item-not-found") {
		t.Errorf("disabled twice: %s", answer)
	}
	r.Nothing("disable", "enable")
	for i := range 3 { // none makes room for another
		reg.Node = fmt.Sprintf("node-%c", 'a'+i)
		r.Check(tablet.EnablePush(r.Ctx, reg))
		r.Event("enable", "user", "alice", "node", reg.Node)
	}
	r.Check(phone.DisablePush(r.Ctx, reg.Service, ""))
	gone := map[string]bool{}
	for range 3 {
		gone[r.Event("disable", "user", "alice").Attr("node")] = true
	}
	if len(gone) != 3 {
		t.Errorf("gone are %v, want all three", gone)
	}
	r.Nothing("disable", "enable")
}

// Many requests at once; what is reported is what is stored.
func TestEnabledInOneBreath(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	var all strings.Builder
	for i := range 5 {
		fmt.Fprintf(&all, "<iq type='set' id='e%d'><enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example' node='n%d'/></iq>", i, i)
	}
	all.WriteString("<iq type='set' id='bad'><enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example'/></iq>")
	r.Check(phone.Send(r.Ctx, all.String()))
	enabled := map[string]bool{}
	for len(enabled) < 5 {
		e := r.Event("enable", "user", "alice")
		enabled[e.Attr("node")] = true
	}
	for _, e := range r.Marker() {
		if e.XMLName.Local == "enable" && e.Attr("node") == "" {
			t.Errorf("came, and should not: %v", e)
		}
	}
}

func TestDeleted(t *testing.T) {
	r := newRig(t)
	phone := r.Login("carol/phone")
	r.Check(phone.EnablePush(r.Ctx, lab.Registration{Service: "push.elsewhere.example", Node: "n"}))
	r.Event("enable", "user", "carol")
	_, err := r.e.API(r.Ctx, "unregister", map[string]string{"user": "carol", "host": r.e.Host()})
	r.Check(err)
	r.Event("deleted", "user", "carol", "sid", "")
	r.Event("ended", "user", "carol")
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
	reg, err := phone.Register(r.Ctx, r.e.Rouse().JID, "fcm", "token", "device")
	r.Check(err)
	if want := (lab.Registration{Service: "push.example.test", Node: "n1", Secret: "s1"}); reg != want {
		t.Fatalf("registered %v, want %v", reg, want)
	}
	r.Check(phone.EnablePush(r.Ctx, reg))
	r.Want(r.Event("enable", "user", "alice"), "node", "n1", "secret", servertest.Fingerprint("s1"))
}
