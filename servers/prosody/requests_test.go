package prosody_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

const ns = " xmlns='rouse:events:0'"

// others is a push service of others.
var others = lab.Component{JID: "push.others.test", Secret: "others"}

func withOthers(o *lab.Options) { o.Components = []lab.Component{others} }

// service connects the push service of others.
func (r *rig) service() *fake {
	f := newFake(r.t, r.p.ComponentAddr(), others)
	f.connect()
	return f
}

func (r *rig) enable(c *lab.Client, service, node string) {
	r.t.Helper()
	r.check(c.EnablePush(r.ctx, lab.Registration{Service: service, Node: node, Secret: "secret of " + node}))
	r.event("enable", "service", service, "node", node)
}

func (r *rig) ask(payload string) element {
	r.t.Helper()
	return r.f.ask(r.ctx, r.p.Host(), payload)
}

// condition is the error of an answer, "" for a result.
func condition(e element) string {
	err, ok := e.child("error")
	if !ok {
		return ""
	}
	for _, c := range err.Children {
		if c.XMLName.Local != "text" {
			return err.attr("type") + " " + c.XMLName.Local
		}
	}
	return "error"
}

func TestFeature(t *testing.T) {
	r := newRig(t)
	info, err := r.bob.IQ(r.ctx, r.p.Host(), "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	r.check(err)
	if !strings.Contains(info, "rouse:events:0") {
		t.Errorf("no feature in %s", info)
	}
}

func TestPicture(t *testing.T) {
	for _, storage := range []string{"internal", "sql"} {
		t.Run(storage, func(t *testing.T) {
			r := newRig(t, func(o *lab.Options) { o.Storage = storage })
			phone, desk, tablet := r.login("alice/phone"), r.login("alice/desk"), r.login("alice/tablet")
			r.enable(phone, r.p.Rouse().JID, "n1")
			r.check(phone.Drop(r.ctx))
			sid := r.event("hibernated", "user", "alice").attr("sid")
			r.check(desk.Inactive(r.ctx))
			r.say("one")
			queued := r.event("queued", "sid", sid)
			r.check(tablet.Freeze(r.ctx))
			r.say("two")
			r.event("delayed", "user", "alice")

			if got := condition(r.ask("<picture" + ns + "/>")); got != "" {
				t.Fatalf("the picture was refused: %s", got)
			}
			r.event("begin")
			var endpoint element
			state := map[string]element{}
			for {
				e := r.event("")
				if e.XMLName.Local == "end" {
					break
				}
				switch e.XMLName.Local {
				case "endpoint":
					endpoint = e
				case "session":
					state[e.attr("user")+"/"+e.attr("resource")] = e
				}
			}
			r.want(endpoint, "user", "alice", "service", r.p.Rouse().JID, "node", "n1", "sid", sid, "secret", fingerprint("secret of n1"))
			row := state["alice/phone"]
			r.want(row, "state", "hibernated", "sid", sid, "out", plus(queued.attr("out"), 1), "n", plus(queued.attr("n"), 1))
			r.wantUnread(row, "message "+row.attr("out")+" 2")
			r.want(state["alice/desk"], "state", "inactive")
			r.want(state["alice/tablet"], "state", "delayed")
			r.want(state["bob/desk"], "state", "active", "acked", "")
			if len(state) != 4 {
				t.Errorf("%d sessions in the picture, want 4", len(state))
			}
		})
	}
}

func TestAbout(t *testing.T) {
	r := newRig(t, func(o *lab.Options) { o.NoArchive = true })
	about, ok := r.f.askAs(r.ctx, "get", r.p.Host(), "<about"+ns+"/>").child("about")
	if !ok {
		t.Fatal("the answer has no <about/>")
	}
	if err := r.f.schema.valid("about", about); err != nil {
		t.Error(err)
	}
	r.want(about, "software", "Prosody", "module", "1", "waiting", "0", "away", "")
	if v := about.attr("version"); !strings.HasPrefix(v, "0.1") {
		t.Errorf("version %q", v)
	}
	for _, clock := range []string{"t", "taken"} {
		if n, err := strconv.ParseInt(about.attr(clock), 10, 64); err != nil || time.Since(time.UnixMilli(n)).Abs() > time.Minute {
			t.Errorf("%s is %q", clock, about.attr(clock))
		}
	}
	said := map[string]string{}
	for _, c := range about.Children {
		said[c.XMLName.Local+" "+c.attr("name")] = c.attr("value")
	}
	for what, value := range map[string]string{"beside cloud_notify": "", "beside smacks": "", "beside csi": "", "setting ack-delay": "2",
		"setting read-timeout": "840", "setting resume-timeout": "600", "setting fallback": "30", "setting conflict": "kick_new"} {
		if got, ok := said[what]; !ok || got != value {
			t.Errorf("%s: %q, %v, want %q", what, got, ok, value)
		}
	}
	if _, ok := said["beside mam"]; ok {
		t.Error("mod_mam is not loaded")
	}
}

func TestOnlyRouseMayAsk(t *testing.T) {
	r := newRig(t, withOthers)
	other := r.service()
	for _, payload := range []string{"<picture" + ns + "/>", "<woken" + ns + "/>", "<publish" + ns + " wake='1' user='alice' service='x'/>"} {
		if got := condition(other.ask(r.ctx, r.p.Host(), payload)); got != "auth forbidden" {
			t.Errorf("%s from somebody else: %q, want auth forbidden", payload, got)
		}
		answer, err := r.bob.IQ(r.ctx, r.p.Host(), "set", payload)
		r.check(err)
		if !strings.Contains(answer, "forbidden") {
			t.Errorf("%s from a user: %s", payload, answer)
		}
	}
	if got := condition(other.askAs(r.ctx, "get", r.p.Host(), "<about"+ns+"/>")); got != "auth forbidden" {
		t.Errorf("<about/> for somebody else: %q", got)
	}
	r.nothing("begin", "answered")
}

func TestPublish(t *testing.T) {
	r := newRig(t, withOthers)
	phone := r.login("alice/phone")
	service := r.service()
	r.enable(phone, others.JID, "n1")
	publish := func(wake, node, class string) string {
		return condition(r.ask(fmt.Sprintf("<publish%s wake='%s' user='alice' service='%s' node='%s' class='%s' count='2'/>", ns, wake, others.JID, node, class)))
	}
	if got := publish("w1", "n1", "message"); got != "" {
		t.Fatalf("refused: %s", got)
	}
	iq, err := service.awaitOther(r.ctx, func(e element) bool { return e.attr("type") == "set" })
	r.check(err)
	r.want(iq, "from", r.p.Host(), "to", others.JID)
	text := iq.String()
	for _, want := range []string{"<publish node='n1'>", "var='message-count'", "var='last-message-body'", "<publish-options>", "var='secret'"} {
		if !strings.Contains(text, want) {
			t.Errorf("the publish has no %s: %s", want, text)
		}
	}
	r.want(r.event("answered", "wake", "w1"), "error", "", "error-type", "")

	service.answers(func(element) string { return "cancel item-not-found" })
	publish("w2", "n1", "group")
	r.want(r.event("answered", "wake", "w2"), "error", "item-not-found", "error-type", "cancel")

	service.disconnect()
	publish("w3", "n1", "message")
	r.want(r.event("answered", "wake", "w3"), "error-type", "wait", "error", "remote-server-timeout")

	if got := publish("w4", "n2", "message"); got != "cancel item-not-found" {
		t.Errorf("no such registration: %q", got)
	}
	if got := condition(r.ask("<publish" + ns + "/>")); got != "modify bad-request" {
		t.Errorf("without attributes: %q", got)
	}
}

// mod_cloud_notify keeps a sleeping session for three days; the ordinary time begins when rouse has woken its device.
func TestWoken(t *testing.T) {
	r := newRig(t, func(o *lab.Options) { o.Hibernation = time.Second })
	phone, plain := r.login("alice/phone"), r.login("carol/phone")
	r.enable(phone, r.p.Rouse().JID, "n1")
	r.check(phone.Drop(r.ctx))
	sid := r.event("hibernated", "user", "alice").attr("sid")
	r.say("one")
	r.event("queued", "sid", sid)
	r.check(plain.Drop(r.ctx))
	r.event("hibernated", "user", "carol")
	for {
		e := r.event("ended")
		if e.attr("sid") == sid {
			t.Fatalf("%v: before the device was woken", e)
		}
		if e.attr("user") == "carol" {
			break // went to sleep later, and has no push
		}
	}
	began := time.Now()
	woken := fmt.Sprintf("<woken%s><session user='alice' sid='%s'/><session user='alice' sid='gone'/></woken>", ns, sid)
	for range 2 { // the second does not start the time again
		if got := condition(r.ask(woken)); got != "" {
			t.Fatalf("refused: %s", got)
		}
	}
	r.want(r.event("ended", "sid", sid), "reason", "Hibernating too long")
	t.Logf("a session of 1 s ended %v after its device was woken", time.Since(began))
}
