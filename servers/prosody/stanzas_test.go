package prosody_test

import (
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
)

func TestLoggedOut(t *testing.T) {
	r := newRig(t)
	r.say("one")
	archived := r.event("archived", "user", "alice", "class", "message")
	offline := r.event("offline", "user", "alice", "class", "message")
	r.want(offline, "key", archived.attr("key"), "sid", "")
	if !strings.HasPrefix(archived.attr("key"), "s:") || archived.attr("sid") != "" {
		t.Errorf("%v: want a stanza-id as key, and no sid", archived)
	}
	r.send(lab.Receipt("alice@"+r.p.Host(), "r", "x"))
	r.send(lab.Composing("alice@"+r.p.Host(), "c"))
	r.nothing("archived", "offline")
}

// The sender's own copy is not reported, whatever the recipient's server.
func TestOwnCopy(t *testing.T) {
	r := newRig(t)
	desk := r.login("alice/desk", func(o *lab.ClientOptions) { o.Carbons = true })
	phone := r.login("alice/phone", func(o *lab.ClientOptions) { o.Carbons = true })
	r.event("bind", "user", "alice", "resource", "phone")
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "user", "alice")
	r.check(desk.Send(r.ctx, lab.Chat(r.jid("bob"), "own", "from my desk")))
	r.event("archived", "user", "bob")
	r.check(desk.Send(r.ctx, lab.Chat("alice@elsewhere.example", "own2", "to a namesake")))
	r.check(desk.Send(r.ctx, lab.Chat(r.jid("bob"), "own3", "again")))
	_, err := r.bob.AwaitBody(r.ctx, "again")
	r.check(err)
	for _, e := range r.marker() {
		if name := e.XMLName.Local; e.attr("user") == "alice" && (name == "archived" || name == "queued") {
			t.Errorf("came, and should not: %v", e)
		}
	}
	// A carbon of what somebody else wrote counts, under the key of the original.
	r.send(lab.Chat(desk.JID(), "to-desk", "to the desk"))
	archived := r.event("archived", "user", "alice")
	r.want(r.event("queued", "user", "alice"), "class", "message", "key", archived.attr("key"))
}

func TestRoom(t *testing.T) {
	r := newRig(t, func(o *lab.Options) {
		o.Rooms = "rooms.example.test"
		o.Components = []lab.Component{{JID: "far.example.test", Secret: "far"}}
	})
	room := "garden@rooms.example.test"
	phone, desk := r.login("alice/phone"), r.login("alice/desk")
	r.check(r.bob.Join(r.ctx, room, "bob"))
	r.check(phone.Join(r.ctx, room, "alice"))
	r.check(desk.Join(r.ctx, room, "alice"))
	r.check(phone.Drop(r.ctx))
	sid := r.event("hibernated", "user", "alice").attr("sid")
	r.send(lab.GroupChat(room, "g1", "hello all"))
	r.want(r.event("queued", "sid", sid), "class", "group")
	r.send(lab.Mention(room, "g2", "alice: hello", r.jid("alice")))
	r.want(r.event("queued", "sid", sid), "class", "mention")
	r.send(lab.Subject(room, "g3", "Roses"))
	r.check(desk.Send(r.ctx, lab.GroupChat(room, "g4", "my own words")))
	_, err := r.bob.AwaitBody(r.ctx, "my own words")
	r.check(err)
	r.nothing("queued", "room", "offline")

	// Another server's room offers a message to a member who has no session at all.
	far := newFake(t, r.p.ComponentAddr(), lab.Component{JID: "far.example.test", Secret: "far"})
	far.connect()
	for _, user := range []string{"carol", "nobody", "alice"} {
		fmt.Fprintf(far.conn, "<message from='hall@far.example.test/x' to='%s' type='groupchat' id='f-%s'><body>hear</body></message>", r.jid(user), user)
	}
	r.want(r.event("room"), "user", "carol", "class", "group", "key", "i:hall@far.example.test/x groupchat f-carol")
	r.nothing("room")
}

func TestSubscription(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "user", "alice")
	r.send(lab.Subscribe(r.jid("alice"), "please"))
	subscribe := r.event("subscribe", "user", "alice")
	r.want(subscribe, "class", "subscription", "sid", "")
	r.want(r.event("queued", "user", "alice"), "class", "subscription", "key", subscribe.attr("key"))
	r.send(lab.Subscribe(r.jid("alice"), "please"))
	r.send(lab.Subscribe(r.jid("nobody"), "hello"))
	r.nothing("subscribe", "queued")
}

func TestCall(t *testing.T) {
	for _, archive := range []bool{true, false} {
		t.Run(fmt.Sprintf("archive %v", archive), func(t *testing.T) {
			r := newRig(t, func(o *lab.Options) { o.NoArchive = !archive })
			phone, desk := r.login("alice/phone"), r.login("alice/desk")
			sid := r.event("bind", "user", "alice", "resource", "desk").attr("sid")
			r.check(phone.Drop(r.ctx))
			r.event("hibernated", "user", "alice")
			r.send(lab.Propose(r.jid("alice"), "ring"))
			var call, queued element
			for _, e := range r.marker() {
				switch e.XMLName.Local {
				case "call":
					call = e
				case "queued":
					queued = e
				}
			}
			r.want(call, "user", "alice", "class", "call", "key", queued.attr("key"))
			if len(call.Children) != 1 || call.Children[0].attr("sid") != sid {
				t.Errorf("%v: want the desk's session (%s) as the only one heard", call, sid)
			}
			if want := map[bool]string{true: "s:", false: "i:"}[archive]; !strings.HasPrefix(call.attr("key"), want) {
				t.Errorf("%v: want a key %s…", call, want)
			}
			// What the person says herself rings nowhere.
			r.check(desk.Send(r.ctx, lab.Propose(r.jid("bob"), "mine")))
			r.want(r.event("call"), "user", "bob")
			r.nothing("call")
		})
	}
}
