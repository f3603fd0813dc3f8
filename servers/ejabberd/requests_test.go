package ejabberd_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

func withOthers(o *lab.EjabberdOptions) { o.Components = []lab.Component{servertest.Others} }

func TestFeature(t *testing.T) {
	r := newRig(t)
	info, err := r.Bob.IQ(r.Ctx, r.e.Host(), "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	r.Check(err)
	if !strings.Contains(info, "rouse:events:0") {
		t.Errorf("no feature in %s", info)
	}
}

func TestPicture(t *testing.T) {
	r := newRig(t)
	phone, desk, tablet := r.Login("alice/phone"), r.Login("alice/desk"), r.Login("alice/tablet")
	r.Enable(phone, r.e.Rouse().JID, "n1")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	r.Check(desk.Inactive(r.Ctx))
	r.Say("one")
	queued := r.Event("queued", "sid", sid)
	r.Check(tablet.Freeze(r.Ctx))
	r.Say("two")
	r.Event("delayed", "user", "alice")

	if got := servertest.Condition(r.Ask("<picture" + servertest.NS + "/>")); got != "" {
		t.Fatalf("the picture was refused: %s", got)
	}
	r.Event("begin")
	var endpoint servertest.Element
	state := map[string]servertest.Element{}
	for {
		e := r.Event("")
		if e.XMLName.Local == "end" {
			break
		}
		switch e.XMLName.Local {
		case "endpoint":
			endpoint = e
		case "session":
			state[e.Attr("user")+"/"+e.Attr("resource")] = e
		}
	}
	r.Want(endpoint, "user", "alice", "service", r.e.Rouse().JID, "node", "n1", "sid", sid, "secret", servertest.Fingerprint("secret of n1"))
	if since := servertest.Number(t, endpoint.Attr("since")); time.Since(time.UnixMilli(int64(since))).Abs() > 2*time.Minute {
		t.Errorf("enabled %v", time.UnixMilli(int64(since)))
	}
	row := state["alice/phone"]
	r.Want(row, "state", "hibernated", "sid", sid, "out", servertest.Plus(queued.Attr("out"), 1))
	if servertest.Number(t, row.Attr("n")) <= servertest.Number(t, queued.Attr("n")) {
		t.Errorf("%v: n is not above %s", row, queued.Attr("n"))
	}
	r.WantUnread(row, "message "+row.Attr("out")+" 2")
	r.Want(state["alice/desk"], "state", "inactive")
	r.Want(state["alice/tablet"], "state", "delayed")
	r.Want(state["bob/desk"], "state", "active", "acked", "")
	if len(state) != 4 {
		t.Errorf("%d sessions in the picture, want 4", len(state))
	}
}

func TestAbout(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) {
		o.NoArchive = true
		o.Modules = map[string]string{"mod_rouse": "fallback: 40", "mod_ping": "send_pings: true\nping_interval: 120"}
	})
	about, ok := r.F.AskAs(r.Ctx, "get", r.e.Host(), "<about"+servertest.NS+"/>").Child("about")
	if !ok {
		t.Fatal("the answer has no <about/>")
	}
	if err := servertest.ReadSchema(t).Valid("about", about); err != nil {
		t.Error(err)
	}
	r.Want(about, "software", "ejabberd", "module", "1", "waiting", "0", "away", "")
	if v := about.Attr("version"); !strings.HasPrefix(v, "23.") {
		t.Errorf("version %q", v)
	}
	for _, clock := range []string{"t", "taken"} {
		if n, err := strconv.ParseInt(about.Attr(clock), 10, 64); err != nil || time.Since(time.UnixMilli(n)).Abs() > time.Minute {
			t.Errorf("%s is %q", clock, about.Attr(clock))
		}
	}
	said := map[string]string{}
	for _, c := range about.Children {
		said[c.XMLName.Local+" "+c.Attr("name")] = c.Attr("value")
	}
	want := map[string]string{"beside push": "", "beside push_keepalive": "", "beside stream_mgmt": "", "beside client_state": "",
		"beside offline": "", "beside carboncopy": "", "setting ack-delay": "2", "setting ack-timeout": "60", "setting read-timeout": "120",
		"setting resume-timeout": "300", "setting fallback": "40", "setting conflict": "kick_old"}
	if !maps.Equal(said, want) {
		t.Errorf("it says %v, want %v", said, want)
	}
	// While rouse takes nothing it says so.
	r.F.Answers(func(servertest.Element) string { return "wait resource-constraint" })
	r.Say("one")
	r.WaitFor("an event waits", func() bool {
		about, _ := r.F.AskAs(r.Ctx, "get", r.e.Host(), "<about"+servertest.NS+"/>").Child("about")
		return about.Attr("waiting") != "0"
	})
}

func TestOnlyRouseMayAsk(t *testing.T) {
	r := newRig(t, withOthers)
	other := r.Service()
	for _, payload := range []string{"<picture" + servertest.NS + "/>", "<woken" + servertest.NS + "/>", "<publish" + servertest.NS + " wake='1' user='alice' service='x'/>"} {
		if got := servertest.Condition(other.Ask(r.Ctx, r.e.Host(), payload)); got != "auth forbidden" {
			t.Errorf("%s from somebody else: %q, want auth forbidden", payload, got)
		}
		answer, err := r.Bob.IQ(r.Ctx, r.e.Host(), "set", payload)
		r.Check(err)
		if !strings.Contains(answer, "forbidden") {
			t.Errorf("%s from a user: %s", payload, answer)
		}
	}
	if got := servertest.Condition(other.AskAs(r.Ctx, "get", r.e.Host(), "<about"+servertest.NS+"/>")); got != "auth forbidden" {
		t.Errorf("<about/> for somebody else: %q", got)
	}
	r.Nothing("begin", "answered")
}

func TestPublish(t *testing.T) {
	r := newRig(t, withOthers)
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, servertest.Others.JID, "n1")
	publish := func(wake, node, class string) string {
		return servertest.Condition(r.Ask(fmt.Sprintf("<publish%s wake='%s' user='alice' service='%s' node='%s' class='%s' count='2' body='New Message!'/>", servertest.NS, wake, servertest.Others.JID, node, class)))
	}
	if got := publish("w1", "n1", "message"); got != "" {
		t.Fatalf("refused: %s", got)
	}
	iq, err := service.AwaitOther(r.Ctx, func(e servertest.Element) bool { return e.Attr("type") == "set" })
	r.Check(err)
	r.Want(iq, "from", r.e.Host(), "to", servertest.Others.JID)
	text := iq.String()
	for _, want := range []string{"<publish node='n1'>", "var='message-count'", "var='last-message-body'", "<publish-options>", "var='secret'"} {
		if !strings.Contains(text, want) {
			t.Errorf("the publish has no %s: %s", want, text)
		}
	}
	r.Want(r.Event("answered", "wake", "w1"), "error", "", "error-type", "")

	service.Answers(func(servertest.Element) string { return "cancel item-not-found" })
	publish("w2", "n1", "group")
	r.Want(r.Event("answered", "wake", "w2"), "error", "item-not-found", "error-type", "cancel")

	service.Disconnect()
	r.WaitFor("ejabberd sees that the service is gone", func() bool { return r.eval(`ejabberd_router:is_my_route(<<"`+servertest.Others.JID+`">>).`) == "false" })
	publish("w3", "n1", "message")
	r.Want(r.Event("answered", "wake", "w3"), "error-type", "auth", "error", "forbidden") // s2s_access: none

	if got := publish("w4", "n2", "message"); got != "cancel item-not-found" {
		t.Errorf("no such registration: %q", got)
	}
	if got := servertest.Condition(r.Ask("<publish" + servertest.NS + "/>")); got != "modify bad-request" {
		t.Errorf("without attributes: %q", got)
	}
}

func TestWhatAPublishSays(t *testing.T) { servertest.WhatAPublishSays(t, newRig(t, withOthers).Rig) }

// mod_push_keepalive keeps a sleeping session for three days; the ordinary time begins when rouse has woken its device.
func TestWoken(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) { o.ResumeTimeout = time.Second })
	phone, plain := r.Login("alice/phone"), r.Login("carol/phone")
	r.Enable(phone, r.e.Rouse().JID, "n1")
	_, err := phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	r.Check(phone.Freeze(r.Ctx))
	r.Say("zero") // lies in the queue when the session falls asleep
	r.Event("archived", "user", "alice")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	r.Say("one")
	r.Event("queued", "sid", sid)
	r.Check(plain.Drop(r.Ctx))
	r.Event("hibernated", "user", "carol")
	for {
		e := r.Event("ended")
		if e.Attr("sid") == sid {
			t.Fatalf("%v: before the device was woken", e)
		}
		if e.Attr("user") == "carol" {
			break // went to sleep later, and has no push
		}
	}
	began := time.Now()
	woken := fmt.Sprintf("<woken%s><session user='alice' sid='%s'/><session user='alice' sid='gone'/></woken>", servertest.NS, sid)
	for range 2 { // the second does not start the time again
		if got := servertest.Condition(r.Ask(woken)); got != "" {
			t.Fatalf("refused: %s", got)
		}
	}
	r.Event("ended", "sid", sid)
	t.Logf("a session of 1 s ended %v after its device was woken", time.Since(began))
}
