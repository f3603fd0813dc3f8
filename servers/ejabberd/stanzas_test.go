package ejabberd_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

func TestLoggedOut(t *testing.T) {
	r := newRig(t)
	r.Say("one")
	archived := r.Event("archived", "user", "alice", "class", "message")
	offline := r.Event("offline", "user", "alice", "class", "message")
	r.Want(offline, "key", archived.Attr("key"), "sid", "")
	sum := sha256.Sum256([]byte("id-one")) // as bob gave it
	r.Want(archived, "tag", hex.EncodeToString(sum[:6]))
	r.Want(offline, "tag", archived.Attr("tag"))
	if !strings.HasPrefix(archived.Attr("key"), "s:") || archived.Attr("sid") != "" {
		t.Errorf("%v: want a stanza-id as key, and no sid", archived)
	}
	r.Send(lab.Receipt("alice@"+r.e.Host(), "r", "x"))
	r.Send(lab.Composing("alice@"+r.e.Host(), "c"))
	r.Nothing("archived", "offline")
}

// The sender's own copy is not reported, whatever the recipient's server.
func TestOwnCopy(t *testing.T) {
	r := newRig(t)
	desk := r.Login("alice/desk", func(o *lab.ClientOptions) { o.Carbons = true })
	phone := r.Login("alice/phone", func(o *lab.ClientOptions) { o.Carbons = true })
	r.Event("bind", "user", "alice", "resource", "phone")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Check(desk.Send(r.Ctx, lab.Chat(r.JID("bob"), "own", "from my desk")))
	r.Event("archived", "user", "bob")
	r.Check(desk.Send(r.Ctx, lab.Chat("alice@elsewhere.example", "own2", "to a namesake")))
	r.Check(desk.Send(r.Ctx, lab.Chat(r.JID("bob"), "own3", "again")))
	_, err := r.Bob.AwaitBody(r.Ctx, "again")
	r.Check(err)
	for _, e := range r.Marker() {
		if name := e.XMLName.Local; e.Attr("user") == "alice" && (name == "archived" || name == "queued") {
			t.Errorf("came, and should not: %v", e)
		}
	}
	// A carbon of what somebody else wrote counts, under the key of the original.
	r.Send(lab.Chat(desk.JID(), "to-desk", "to the desk"))
	archived := r.Event("archived", "user", "alice")
	r.Want(r.Event("queued", "user", "alice"), "class", "message", "key", archived.Attr("key"))
}

func TestRoom(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) {
		o.Rooms = "rooms.example.test"
		o.Components = []lab.Component{{JID: "far.example.test", Secret: "far"}}
	})
	room := "garden@rooms.example.test"
	phone, desk := r.Login("alice/phone"), r.Login("alice/desk")
	r.Check(r.Bob.Join(r.Ctx, room, "bob"))
	r.Check(phone.Join(r.Ctx, room, "alice"))
	r.Check(desk.Join(r.Ctx, room, "alice"))
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	r.Send(lab.GroupChat(room, "g1", "hello all"))
	r.Want(r.Event("queued", "sid", sid), "class", "group")
	r.Send(lab.Mention(room, "g2", "alice: hello", r.JID("alice")))
	r.Want(r.Event("queued", "sid", sid), "class", "mention")
	r.Send(lab.Subject(room, "g3", "Roses"))
	// The module knows one's own words also among the sessions of a large host.
	r.eval(`[mod_rouse_table:session(<<"example.test">>, <<"many">>, integer_to_binary(I), self()) || I <- lists:seq(1, 10001)].`)
	r.Check(desk.Send(r.Ctx, lab.GroupChat(room, "g4", "my own words")))
	_, err := r.Bob.AwaitBody(r.Ctx, "my own words")
	r.Check(err)
	r.Nothing("queued", "room", "offline")

	// Another server's room offers a message to a member who has no session at all.
	far := servertest.NewFake(t, r.e.ComponentAddr(), lab.Component{JID: "far.example.test", Secret: "far"})
	far.Connect()
	for _, user := range []string{"carol", "nobody", "alice"} {
		far.Raw(fmt.Sprintf("<message from='hall@far.example.test/x' to='%s' type='groupchat' id='f-%s'><body>hear</body></message>", r.JID(user), user))
	}
	r.Want(r.Event("room"), "user", "carol", "class", "group", "key", "i:hall@far.example.test/x groupchat f-carol")
	r.Nothing("room")
}

func TestSubscription(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Send(lab.Subscribe(r.JID("alice"), "please"))
	subscribe := r.Event("subscribe", "user", "alice")
	r.Want(subscribe, "class", "subscription", "sid", "")
	r.Want(r.Event("queued", "user", "alice"), "class", "subscription", "key", subscribe.Attr("key"))
	r.Send(lab.Subscribe(r.JID("alice"), "please"))
	r.Send(lab.Subscribe(r.JID("nobody"), "hello"))
	r.Nothing("subscribe", "queued")
}

func TestCall(t *testing.T) {
	for _, archive := range []bool{true, false} {
		t.Run(fmt.Sprintf("archive %v", archive), func(t *testing.T) {
			r := newRig(t, func(o *lab.EjabberdOptions) { o.NoArchive = !archive })
			phone, desk := r.Login("alice/phone"), r.Login("alice/desk")
			sid := r.Event("bind", "user", "alice", "resource", "desk").Attr("sid")
			r.Check(phone.Drop(r.Ctx))
			r.Event("hibernated", "user", "alice")
			r.Send(lab.Propose(r.JID("alice"), "ring"))
			var call, queued servertest.Element
			for _, e := range r.Marker() {
				switch e.XMLName.Local {
				case "call":
					call = e
				case "queued":
					queued = e
				}
			}
			r.Want(call, "user", "alice", "class", "call", "key", queued.Attr("key"))
			if len(call.Children) != 1 || call.Children[0].Attr("sid") != sid {
				t.Errorf("%v: want the desk's session (%s) as the only one heard", call, sid)
			}
			if want := map[bool]string{true: "s:", false: "i:"}[archive]; !strings.HasPrefix(call.Attr("key"), want) {
				t.Errorf("%v: want a key %s…", call, want)
			}
			// What the person says herself rings nowhere.
			r.Check(desk.Send(r.Ctx, lab.Propose(r.JID("bob"), "mine")))
			r.Want(r.Event("call"), "user", "bob")
			r.Nothing("call")
		})
	}
}

func TestClasses(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) { o.Rooms = "rooms.example.test" })
	servertest.Classes(t, r.Rig, "garden@rooms.example.test")
}

// TestElsewhere: what the user reads or answers on one device.
func TestElsewhere(t *testing.T) { servertest.Elsewhere(t, newRig(t).Rig) }

// TestFilters: what a client says that its device is not to be woken for.
func TestFilters(t *testing.T) { servertest.Filters(t, newRig(t).Rig) }

// TestSealed: what only an app can read.
func TestSealed(t *testing.T) { servertest.Sealed(t, newRig(t, withOthers).Rig) }
