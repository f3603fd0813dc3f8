package ejabberd_test

import (
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// A host whose clients have registered with mod_push is switched to rouse and back. The phone sleeps all the time and does
// nothing; the other client stays logged in and does nothing either.
func TestChangeOver(t *testing.T) {
	r := newRig(t, withOthers, func(o *lab.EjabberdOptions) { o.NoModule = true })
	service := r.Service()
	phone, desk := r.Login("alice/phone"), r.Login("carol/desk")
	enable := func(c *lab.Client, node string) {
		r.Check(c.EnablePush(r.Ctx, lab.Registration{Service: servertest.Others.JID, Node: node, Secret: "secret of " + node}))
	}
	enable(phone, "n1")
	enable(desk, "n2")
	r.Check(phone.Drop(r.Ctx))
	r.WaitFor("the phone sleeps", func() bool {
		return strings.HasPrefix(r.eval(`[S || {_, P} <- ejabberd_sm:get_session_sids(<<"alice">>, <<"example.test">>), #{mgmt_state := S} <- [sys:get_state(P)]].`), "[pending")
	})
	r.Say("one")
	r.WaitFor("mod_push publishes", func() bool { return service.Published() == 1 })

	switchTo := func(rouse bool) {
		t.Helper()
		r.Check(r.e.Configure(func(o *lab.EjabberdOptions) { o.NoModule = !rouse }))
		_, err := r.e.API(r.Ctx, "reload_config", map[string]string{})
		r.Check(err)
	}
	switchTo(true)
	r.WaitFor("a batch", func() bool { return len(r.F.Batches()) > 0 })
	r.Ask("<picture" + servertest.NS + "/>")
	r.Event("begin")
	rows := map[string]servertest.Element{}
	for {
		e := r.Event("")
		if e.XMLName.Local == "end" {
			break
		}
		rows[e.XMLName.Local+" "+e.Attr("user")] = e
	}
	sleeping := rows["session alice"]
	r.Want(sleeping, "state", "hibernated", "resource", "phone")
	r.WantUnread(sleeping, "message "+sleeping.Attr("out")+" 1")
	r.Want(rows["session carol"], "state", "active")
	r.Want(rows["endpoint alice"], "service", servertest.Others.JID, "node", "n1", "secret", servertest.Fingerprint("secret of n1"), "sid", sleeping.Attr("sid"))
	r.Want(rows["endpoint carol"], "node", "n2", "sid", rows["session carol"].Attr("sid"))
	r.Say("two")
	r.Want(r.Event("queued", "user", "alice"), "sid", sleeping.Attr("sid"), "out", servertest.Plus(sleeping.Attr("out"), 1))
	r.Nothing("queued")
	if n := service.Published(); n != 1 {
		t.Errorf("%d publishes, want mod_push's one of before", n)
	}
	r.Ask("<publish" + servertest.NS + " wake='w1' user='alice' service='" + servertest.Others.JID + "' node='n1' class='message' count='2'/>")
	r.Want(r.Event("answered", "wake", "w1"), "error", "")

	switchTo(false)
	before := len(r.F.Batches())
	published := service.Published()
	r.Say("three")
	r.WaitFor("mod_push publishes again", func() bool { return service.Published() > published })
	if nodes := r.stored("alice"); len(nodes) != 1 || nodes[0] != "n1" {
		t.Errorf("stored for alice: %q", nodes)
	}
	if n := len(r.F.Batches()); n != before {
		t.Errorf("%d batches after the module is gone", n-before)
	}
	resumed, err := phone.Login(r.Ctx)
	r.Check(err)
	if !resumed {
		t.Error("the phone's session did not survive the changes")
	}
	for _, body := range []string{"one", "two", "three"} {
		_, err := phone.AwaitBody(r.Ctx, body)
		r.Check(err)
	}
}
