package servertest

import (
	"fmt"
	"maps"
	"testing"
)

// WhatAPublishSays is a story: what leaves the host is what rouse says, and the sender is one the module remembers.
func WhatAPublishSays(t *testing.T, r *Rig) {
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, Others.JID, "n1")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	r.Say("what bob wrote")
	r.Event("queued", "sid", sid, "class", "message")
	for i, c := range []struct {
		attr string
		want map[string]string
	}{
		{"class='message' count='2' body='New Message!'", map[string]string{"message-count": "2", "last-message-body": "New Message!"}},
		{"class='message' count='2' body='&lt;Eins &amp; zwei&gt;' sender='true'", map[string]string{"message-count": "2", "last-message-body": "<Eins & zwei>", "last-message-sender": r.JID("bob") + "/desk"}},
		{"class='message' count='1'", map[string]string{"message-count": "1"}},
		{"class='group' count='1' sender='true' body='New Message!'", map[string]string{"message-count": "1", "last-message-body": "New Message!"}},
		{"class='subscription' count='3'", map[string]string{"pending-subscription-count": "3"}},
		{"", map[string]string{"message-count": "1"}},
	} {
		if got := Condition(r.Ask(fmt.Sprintf("<publish%s wake='w%d' user='alice' service='%s' node='n1' %s/>", NS, i, Others.JID, c.attr))); got != "" {
			t.Fatalf("%s: refused: %s", c.attr, got)
		}
		r.Event("answered", "wake", fmt.Sprintf("w%d", i))
		said := service.Last().Fields()
		maps.DeleteFunc(said, func(name, _ string) bool { return name == "FORM_TYPE" || name == "secret" })
		if !maps.Equal(said, c.want) {
			t.Errorf("%s: the push service reads %q, want %q", c.attr, said, c.want)
		}
	}
}
