package servertest

import (
	"slices"
	"testing"

	"rouse/servers/lab"
)

// Classes is a story on a server with a room: what bob sends to alice's phone,
// which sleeps, is reported as what it is, and what says nothing new is not.
func Classes(t *testing.T, r *Rig, room string) {
	phone := r.Login("alice/phone")
	r.Check(r.Bob.Join(r.Ctx, room, "bob"))
	r.Check(phone.Join(r.Ctx, room, "Ally"))
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	alice := r.JID("alice")
	for _, sent := range []struct{ stanza, class string }{
		{lab.Chat(alice, "m1", "good evening"), "message"},
		{lab.Correction(alice, "chat", "c1", "m1", "good night"), ""},
		{lab.Reaction(alice, "chat", "r1", "m1"), ""},
		{lab.Retraction(alice, "chat", "t1", "m1"), ""},
		{lab.Composing(alice, "s1"), ""},
		{lab.Receipt(alice, "s2", "x"), ""},
		{lab.Displayed(alice, "s3", "x"), ""},
		{lab.Hangup(alice, "s4", "ring"), ""},
		{lab.Invite(alice, "i1", "hall@rooms.example"), "invitation"},
		{lab.InviteBy(room, "i2", alice), "invitation"},
		{lab.GroupChat(room, "g1", "good evening, all"), "group"},
		{lab.GroupChat(room, "g2", "good evening, ally!"), "mention"},
		{lab.GroupChat(room, "g3", "we are allying"), "group"},
		{lab.Mention(room, "g4", "good evening", alice), "mention"},
		{lab.Correction(room, "groupchat", "g5", "g3", "Ally is"), ""},
		{lab.Reaction(room, "groupchat", "g6", "g3"), ""},
		{lab.Subject(room, "g7", "Roses"), ""},
		{lab.Propose(alice, "ring"), "call"},
	} {
		r.Send(sent.stanza)
		var classes []string
		for _, e := range r.Marker() {
			if e.XMLName.Local == "queued" && e.Attr("user") == "alice" {
				classes = append(classes, e.Attr("class"))
			}
		}
		if want := []string{sent.class}; sent.class == "" && classes != nil || sent.class != "" && !slices.Equal(classes, want) {
			t.Errorf("queued as %q, want %q: %s", classes, sent.class, sent.stanza)
		}
	}
}
