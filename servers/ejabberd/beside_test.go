package ejabberd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// triggers are the hooks of mod_push and mod_push_keepalive that stand now.
func (r *rig) triggers() int {
	r.T.Helper()
	n := r.eval(`length([ok || Hook <- [c2s_session_pending, c2s_handle_send, store_mam_message, offline_message_hook],
		{_, M, F} <- (case ets:lookup(hooks, {Hook, <<"example.test">>}) of [{_, L}] -> L; [{_, L, _}] -> L; [] -> [] end),
		lists:member({M, F}, [{mod_push, c2s_session_pending}, {mod_push, c2s_stanza}, {mod_push, mam_message},
			{mod_push, offline_message}, {mod_push_keepalive, c2s_stanza}])]).`)
	return servertest.Number(r.T, n)
}

const allTriggers = 5

// Stock behaviour comes back when the module is taken out, and goes when it is put in.
func TestUnload(t *testing.T) {
	r := newRig(t, withOthers)
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, servertest.Others.JID, "n1")
	tablet := r.Login("alice/tablet")
	frozen := r.F.Mark()
	r.Check(tablet.Freeze(r.Ctx))
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Say("one")
	r.Event("queued", "user", "alice")
	_, _, err := frozen.Find(r.Ctx, servertest.Fits("delayed", []string{"user", "alice"})) // perhaps for what it was sent before
	r.Check(err)
	if n := r.triggers(); n != 0 {
		t.Errorf("%d triggers of mod_push stand", n)
	}
	r.Check(r.e.Unload(r.Ctx, "mod_rouse"))
	if n := r.triggers(); n != allTriggers {
		t.Errorf("%d triggers of mod_push stand after the module is gone, want %d", n, allTriggers)
	}
	if left := r.eval(`[{H, M, F} || T <- ets:tab2list(hooks), {H, L} <- [{element(1, T), element(2, T)}], {_, M, F} <- L, lists:prefix("mod_rouse", atom_to_list(M))].`); left != "[]" {
		t.Errorf("hooks are left behind: %s", left)
	}
	if n := service.Published(); n != 0 {
		t.Fatalf("%d publishes although rouse takes events", n)
	}
	r.Say("two")
	_, err = service.AwaitOther(r.Ctx, func(e servertest.Element) bool { return e.Attr("type") == "set" })
	r.Check(err)

	r.Check(r.e.Load(r.Ctx, "mod_rouse"))
	r.WaitFor("the new epoch has begun", func() bool { return r.LastBatch().Attr("seq") == "1" })
	r.Say("three")
	var came []string
	for _, e := range append(r.Marker(), r.Marker()...) {
		came = append(came, e.XMLName.Local)
	}
	for _, want := range []string{"queued", "late"} { // the tablet is known to be late
		if !slices.Contains(came, want) {
			t.Errorf("no %s after the module was loaded, but %q", want, came)
		}
	}
	if n := service.Published(); n != 1 {
		t.Errorf("%d publishes, want the one made without the module", n)
	}
	r.Ask("<picture" + servertest.NS + "/>")
	r.Want(r.Event("endpoint"), "user", "alice", "node", "n1")
}

// Sessions keep their names when the module is taken out and put in, and what rouse has not taken comes then.
func TestUnloadAndLoad(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	before := r.LastBatch().Attr("epoch")
	r.F.Answers(func(servertest.Element) string { return "wait resource-constraint" })
	r.Say("one")
	r.settle()
	r.Check(r.e.Unload(r.Ctx, "mod_rouse"))
	r.Check(r.e.Load(r.Ctx, "mod_rouse"))
	r.F.Answers(nil)
	r.Want(r.Event("queued"), "sid", sid, "epoch", before)
	r.Say("two")
	r.Want(r.Event("queued"), "sid", sid, "epoch", "")
}

// While rouse takes nothing for long enough the server pushes by itself, but not to rouse, and says so afterwards.
func TestFallback(t *testing.T) {
	for _, how := range []string{"no link", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, withOthers, module("fallback: 1\nanswer_timeout: 1"))
			phone, tablet := r.Login("alice/phone"), r.Login("alice/tablet")
			service := r.Service()
			r.Enable(phone, servertest.Others.JID, "n1")
			r.Enable(tablet, r.e.Rouse().JID, "n2")
			r.Check(phone.Drop(r.Ctx))
			r.Event("hibernated", "user", "alice")
			r.Check(tablet.Drop(r.Ctx))
			r.Event("hibernated", "user", "alice")
			if how == "silence" {
				r.F.Answers(func(servertest.Element) string { return "silence" })
			} else {
				r.F.Disconnect()
			}
			n := 0
			r.WaitFor("a publish by the server itself", func() bool {
				r.Say(fmt.Sprintf("m%d", n))
				n++
				return service.Published() > 0
			})
			if n := r.triggers(); n != allTriggers {
				t.Errorf("%d triggers of mod_push stand while rouse is away, want %d", n, allTriggers)
			}
			if how == "silence" {
				if n := r.F.Published(); n != 0 {
					t.Errorf("%d publishes to rouse itself", n)
				}
				r.F.Answers(nil)
			} else {
				r.F.Connect()
			}
			marks := 0
			for _, e := range append(r.Marker(), r.Marker()...) {
				if _, ok := e.Child("published"); ok || e.XMLName.Local == "published" {
					marks++
				}
			}
			if marks == 0 {
				t.Error("no event says that the server has published")
			}
			r.WaitFor("mod_push is silent again", func() bool { return r.triggers() == 0 })
			before := service.Published()
			r.Say("back")
			r.Event("queued", "user", "alice")
			r.Event("queued", "user", "alice")
			r.Marker()
			if n := service.Published(); n != before {
				t.Errorf("%d publishes after rouse is back", n-before)
			}
		})
	}
}

// What was unread when the session fell asleep is published by the server alone, and told with its place in the queue.
func TestFallbackForTheQueue(t *testing.T) {
	r := newRig(t, withOthers, module("fallback: 1\nanswer_timeout: 1"))
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, servertest.Others.JID, "n1")
	r.Check(phone.Freeze(r.Ctx))
	r.F.Answers(func(servertest.Element) string { return "silence" })
	r.Say("one")
	r.WaitFor("mod_push does its work", func() bool { return r.triggers() == allTriggers })
	r.Check(phone.Drop(r.Ctx))
	_, err := service.AwaitOther(r.Ctx, func(e servertest.Element) bool { return e.Attr("type") == "set" })
	r.Check(err)
	r.F.Answers(nil)
	hibernated := r.Event("hibernated", "user", "alice")
	published := r.Event("published", "user", "alice")
	r.Want(published, "sid", hibernated.Attr("sid"), "out", hibernated.Children[0].Attr("last"), "service", servertest.Others.JID, "node", "n1", "class", "message")
	r.Want(published, "key", hibernated.Children[0].Attr("key"))
}

// A registration that mod_push gives up while rouse is away is reported as gone.
func TestGivenUp(t *testing.T) {
	r := newRig(t, withOthers, module("fallback: 1\nanswer_timeout: 1"))
	phone := r.Login("alice/phone")
	service := r.Service()
	service.Answers(func(servertest.Element) string { return "cancel item-not-found" })
	r.Enable(phone, servertest.Others.JID, "n1")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.F.Disconnect()
	n := 0
	r.WaitFor("a publish by the server itself", func() bool {
		r.Say(fmt.Sprintf("m%d", n))
		n++
		return service.Published() > 0
	})
	r.F.Connect()
	r.Want(r.Event("disable"), "user", "alice", "service", servertest.Others.JID, "node", "n1")
}

// While rouse is away its domain is held: nothing that comes back makes mod_push give up a registration.
func TestDomainIsHeld(t *testing.T) {
	r := newRig(t, module("fallback: 1\nanswer_timeout: 1"))
	phone := r.Login("alice/phone")
	r.Enable(phone, r.e.Rouse().JID, "n1")
	r.F.Disconnect()
	r.WaitFor("ejabberd has seen that, and the domain is held", func() bool {
		return r.eval(fmt.Sprintf(`case {mod_rouse_hold:connections(<<"%[1]s">>), ejabberd_router:is_my_route(<<"%[1]s">>)} of {[], true} -> 1; _ -> 0 end.`, r.e.Rouse().JID)) == "1"
	})
	answer, err := r.Bob.IQ(r.Ctx, r.e.Rouse().JID, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	r.Check(err)
	if !strings.Contains(answer, `type="wait"`) || !strings.Contains(answer, "service-unavailable") {
		t.Errorf("a request to rouse while it is away: %s", answer)
	}
	r.Send(lab.Chat(r.e.Rouse().JID, "to-rouse", "are you there?"))
	r.WaitFor("mod_push does its work", func() bool { return r.triggers() == allTriggers })
	// mod_push itself, unfiltered, as far as its publish: wait must come back.
	r.eval(`ejabberd_hooks:delete(filter_packet, mod_rouse_push, filter, 90).`)
	r.Check(phone.Drop(r.Ctx))
	r.Say("one")
	r.WaitFor("mod_push was answered", func() bool { return strings.Contains(r.e.LogTail(100), "rejected notification") })
	if log := r.e.LogTail(100); strings.Contains(log, "disabling push") {
		t.Errorf("the registration was given up")
	}
	r.F.Connect()
	r.Event("queued", "user", "alice")
	r.Ask("<picture" + servertest.NS + "/>")
	r.Want(r.Event("endpoint"), "user", "alice", "node", "n1")
	for _, s := range r.Bob.Received() {
		if s.Type == "error" {
			t.Errorf("bob got an error: %s", s.XML)
		}
	}
	// The component's own answer, not ours.
	answer, err = r.Bob.IQ(r.Ctx, r.e.Rouse().JID, "set", "<x xmlns='urn:example'/>")
	r.Check(err)
	if !strings.Contains(answer, `type="result"`) {
		t.Errorf("a request to rouse when it is back: %s", answer)
	}
}

// Our process is killed: it comes back, what it had saved too, and mod_push is not left dead.
func TestKilledProcess(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	before := r.LastBatch().Attr("epoch")
	r.F.Answers(func(servertest.Element) string { return "wait resource-constraint" })
	r.Say("one")
	r.WaitFor("the report is saved", func() bool { return r.keeps("queued") })
	r.eval(`exit(whereis('mod_rouse_example.test'), kill).`)
	r.WaitFor("mod_push does its work until rouse takes something", func() bool { return r.triggers() == allTriggers })
	r.F.Answers(nil)
	r.Want(r.Event("queued"), "sid", sid, "epoch", before)
	r.WaitFor("mod_push is silent again", func() bool { return r.triggers() == 0 })
	r.Say("two")
	r.Want(r.Event("queued"), "sid", sid, "epoch", "")
	r.Ask("<picture" + servertest.NS + "/>")
	r.Event("session", "sid", sid, "state", "hibernated")
	r.Event("end")
}

// Errors in callbacks are logged without what people write, and everything goes on.
func TestErrorsAreContained(t *testing.T) {
	r := newRig(t)
	r.eval(`P = 'mod_rouse_example.test', Was = whereis(P),
		gen_server:cast(P, {report, broken}), gen_server:cast(P, {published, 1, 2, 3, 4, 5, 6}), P ! {iq_reply, nonsense, {publish, 1, 2}},
		P ! {is_it_gone, nonsense}, gen_server:cast(P, {row, x, y}), (catch gen_server:call(P, nonsense)),
		ejabberd_hooks:run_fold(offline_message_hook, <<"example.test">>, {bounce, {message, broken}}, []),
		ejabberd_hooks:run_fold(csi_activity, <<"example.test">>, #{lserver => <<"example.test">>}, [active]),
		Was = whereis(P).`)
	r.WaitFor("the error is in the log", func() bool { return strings.Contains(r.e.LogTail(100), "mod_rouse: error in") })
	r.Say("one")
	r.Event("archived", "user", "alice")
}

// mod_push is restarted by a reload of the configuration: its triggers are taken out again.
func TestPushRestarted(t *testing.T) {
	r := newRig(t)
	r.Check(r.e.Unload(r.Ctx, "mod_push_keepalive"))
	r.Check(r.e.Unload(r.Ctx, "mod_push"))
	r.Check(r.e.Load(r.Ctx, "mod_push"))
	r.WaitFor("the triggers are out", func() bool { return r.triggers() == 0 })
}
