package prosody_test

import "testing"

func TestOnline(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	bind := r.event("bind", "user", "alice", "resource", "phone", "n", "1")
	if bind.attr("sid") == "" || bind.attr("t") == "" {
		t.Errorf("%v: no sid or t", bind)
	}
	r.say("hello")
	_, err := phone.AwaitBody(r.ctx, "hello")
	r.check(err)
	r.event("archived", "user", "alice", "class", "message")
	r.nothing("late", "delayed", "queued", "offline", "hibernated", "archived")
}
