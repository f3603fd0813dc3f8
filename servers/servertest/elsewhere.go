package servertest

import (
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
)

// Elsewhere is a story: alice's phone sleeps, and what was reported for it she reads,
// answers and takes on her desk. That is reported once.
func Elsewhere(t *testing.T, r *Rig) {
	phone := r.Login("alice/phone")
	r.Event("bind", "user", "alice")
	desk := r.Login("alice/desk", func(o *lab.ClientOptions) { o.NoResume = true })
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	alice, bob := r.JID("alice"), r.JID("bob")
	chat := short(alice + "\x00" + bob)
	said := func(body string) Element {
		t.Helper()
		r.Say(body)
		_, err := desk.AwaitBody(r.Ctx, body)
		r.Check(err)
		queued := r.Event("queued", "user", "alice")
		r.Want(queued, "class", "message", "chat", chat)
		return queued
	}

	said("one")
	said("two")
	r.Check(desk.Send(r.Ctx, lab.Displayed(bob, "d1", "id-one")))
	r.Want(r.Event("read", "sid", sid), "user", "alice", "chat", chat, "tag", short("id-one"), "key", "")
	r.Check(desk.Send(r.Ctx, lab.Displayed(bob, "d2", "id-two")))
	r.Check(desk.Send(r.Ctx, lab.Chat(bob, "a1", "nothing new")))
	r.Nothing("read") // of what was read before

	said("three")
	r.Check(desk.Send(r.Ctx, lab.Composing(bob, "c1")))
	r.Check(desk.Send(r.Ctx, lab.Chat(bob, "a2", "my answer")))
	r.Want(r.Event("read", "sid", sid), "chat", chat, "tag", "", "key", "")

	id, archived := strings.CutPrefix(said("four").Attr("key"), "s:")
	if !archived {
		t.Fatal("the server keeps no archive")
	}
	_, err := desk.IQ(r.Ctx, alice, "set", fmt.Sprintf("<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:mds:displayed:0'><item id='%s'>"+
		"<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='%s'/></displayed></item></publish></pubsub>", bob, alice, id))
	r.Check(err)
	r.Want(r.Event("read", "sid", sid), "chat", chat, "key", "s:"+id, "tag", "")

	call := func(id string) string { return short(alice + "\x00call\x00" + id) }
	rings := func(id string) {
		t.Helper()
		r.Send(lab.Propose(alice, id))
		r.Want(r.Event("call", "user", "alice"), "chat", call(id))
	}
	rings("taken")
	r.Check(desk.Send(r.Ctx, lab.Proceed(bob, "taken")))
	r.Want(r.Event("taken", "sid", sid), "user", "alice", "chat", call("taken"))
	rings("refused")
	r.Check(desk.Send(r.Ctx, lab.Reject(bob, "refused")))
	r.Want(r.Event("taken", "sid", sid), "chat", call("refused"))
	rings("given up")
	r.Send(lab.Hangup(alice, "h1", "given up"))
	r.Want(r.Event("retracted", "user", "alice"), "sid", "", "chat", call("given up"))
	r.Send(lab.Hangup(alice, "h2", "given up"))
	r.Check(desk.Send(r.Ctx, lab.Reject(bob, "refused")))
	r.Nothing("read", "taken", "retracted")
}
