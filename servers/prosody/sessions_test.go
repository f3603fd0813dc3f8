package prosody_test

import (
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

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
	r.check(phone.Bye(r.ctx))
	r.want(r.event("ended", "user", "alice"), "sid", bind.attr("sid"), "n", "2")
}

func TestClientState(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	r.check(phone.Inactive(r.ctx))
	r.event("csi", "user", "alice", "state", "inactive")
	r.say("while inactive")
	_, err := phone.AwaitBody(r.ctx, "while inactive")
	r.check(err)
	r.nothing("late", "delayed", "queued", "offline")
	r.check(phone.Active(r.ctx))
	r.event("csi", "user", "alice", "state", "active")
}

func TestFrozen(t *testing.T) {
	for _, c := range []struct {
		name, key string
		archive   bool
	}{{"with the archive", "s:", true}, {"without the archive", "i:bob@example.test/desk chat id-", false}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(o *lab.Options) { o.NoArchive = !c.archive })
			phone := r.login("alice/phone")
			sid := r.event("bind", "user", "alice").attr("sid")
			r.marker()
			r.check(phone.Freeze(r.ctx))
			r.say("one")
			delayed := r.event("delayed", "sid", sid)
			out := delayed.attr("out")
			if acked := delayed.attr("acked"); acked == "" || acked == out { // what came before may be unacknowledged too
				t.Errorf("%v: acked is %q of %s", delayed, acked, out)
			}
			r.wantUnread(delayed, "message "+out+" 1")

			// Prosody itself reports no second delay.
			r.send(lab.Composing("alice@"+r.p.Host(), "c"))
			r.say("two")
			late := r.event("late", "sid", sid)
			r.want(late, "class", "message", "out", plus(out, 2))
			if !strings.HasPrefix(late.attr("key"), c.key) {
				t.Errorf("key of %v: want %s…", late, c.key)
			}
			r.send(lab.Encrypted("alice@"+r.p.Host(), "omemo"))
			r.want(r.event("late", "sid", sid), "class", "message", "out", plus(out, 3))
			r.send(lab.Receipt("alice@"+r.p.Host(), "rc", "x"))
			r.nothing("late", "delayed")

			r.check(phone.Thaw(r.ctx))
			if heard := r.event("heard", "sid", sid, "state", "active"); heard.attr("acked") == "" {
				t.Errorf("%v: no acked", heard)
			}
			r.say("three")
			_, err := phone.AwaitBody(r.ctx, "three")
			r.check(err)
			r.nothing("late", "delayed")
		})
	}
}

// A client that talks and does not acknowledge is watched again after the ack delay.
func TestHeardWithoutAck(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	sid := r.event("bind", "user", "alice").attr("sid")
	r.marker()
	r.check(phone.Freeze(r.ctx))
	r.say("one")
	delayed := r.event("delayed", "sid", sid)
	r.check(phone.Send(r.ctx, lab.Chat("bob@"+r.p.Host(), "from-phone", "I am here")))
	r.want(r.event("heard", "sid", sid), "acked", delayed.attr("acked"))
	r.say("two")
	_, err := r.bob.AwaitBody(r.ctx, "I am here")
	r.check(err)
	again := r.event("delayed", "sid", sid)
	r.wantUnread(again, "message "+plus(delayed.attr("out"), 1)+" 2")
	r.say("three")
	r.want(r.event("late", "sid", sid), "out", plus(delayed.attr("out"), 2))
}

func TestSleep(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	sid := r.event("bind", "user", "alice").attr("sid")
	_, err := phone.IQ(r.ctx, r.p.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.check(err)
	r.check(phone.Drop(r.ctx))
	hibernated := r.event("hibernated", "sid", sid)
	out := hibernated.attr("out")
	r.wantUnread(hibernated)

	began := time.Now()
	r.say("one")
	r.event("archived", "user", "alice")
	queued := r.event("queued", "sid", sid)
	t.Logf("a message sent, its event here: %v", time.Since(began))
	r.want(queued, "class", "message", "out", plus(out, 1))
	r.send(lab.Composing("alice@"+r.p.Host(), "c"))
	r.send(lab.Displayed("alice@"+r.p.Host(), "d", "x"))
	r.send(lab.Receipt("alice@"+r.p.Host(), "r", "x"))
	r.nothing("queued", "archived", "offline")
	r.send(lab.Encrypted("alice@"+r.p.Host(), "omemo"))
	r.want(r.event("queued", "sid", sid), "class", "message", "out", plus(out, 5))

	// Resumed, and cut before anything was read: what is unread stays unread.
	resumed, err := phone.Login(r.ctx)
	r.check(err)
	if !resumed {
		t.Fatal("the session was not resumed")
	}
	r.want(r.event("resumed", "sid", sid), "state", "active", "out", plus(out, 5), "acked", hibernated.attr("acked"))
	for _, body := range []string{"one"} {
		_, err := phone.AwaitBody(r.ctx, body)
		r.check(err)
	}
	_, err = phone.IQ(r.ctx, r.p.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.check(err)
	r.check(phone.Freeze(r.ctx))
	r.say("two")
	r.event("archived", "user", "alice")
	r.check(phone.Drop(r.ctx))
	again := r.event("hibernated", "sid", sid)
	r.wantUnread(again, "message "+again.attr("out")+" 1")

	// The watch of late acknowledgements works on the new connection too.
	_, err = phone.Login(r.ctx)
	r.check(err)
	r.event("resumed", "sid", sid)
	_, err = phone.IQ(r.ctx, r.p.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.check(err)
	r.check(phone.Freeze(r.ctx))
	r.say("three")
	delayed := r.event("delayed", "sid", sid)
	r.say("four")
	r.want(r.event("late", "sid", sid), "out", plus(delayed.attr("out"), 1))
	r.check(phone.Thaw(r.ctx))
	r.event("heard", "sid", sid)

	// A fresh login of the same client: the old session is replaced.
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "sid", sid)
	r.check(phone.Forget(r.ctx))
	_, err = phone.Login(r.ctx)
	r.check(err)
	r.want(r.event("ended", "sid", sid), "reason", "Replaced by new connection")
	if bind := r.event("bind", "user", "alice"); bind.attr("sid") == sid {
		t.Errorf("%v: the same sid for another session", bind)
	}
}

// CSI survives a resume on Prosody, and the event says so.
func TestResumeInactive(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	r.check(phone.Inactive(r.ctx))
	r.event("csi", "user", "alice", "state", "inactive")
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "user", "alice")
	_, err := phone.Login(r.ctx)
	r.check(err)
	r.event("resumed", "user", "alice", "state", "inactive")
}

// What mod_smacks gives back when a session is gone for good carries its place in the queue.
func TestGivenBack(t *testing.T) {
	t.Run("expired, offline storage", func(t *testing.T) {
		r := newRig(t, func(o *lab.Options) { o.NoArchive, o.Hibernation = true, time.Second })
		phone := r.login("alice/phone")
		r.check(phone.Drop(r.ctx))
		sid := r.event("hibernated", "user", "alice").attr("sid")
		r.say("one")
		r.say("two")
		one := r.event("queued", "sid", sid)
		two := r.event("queued", "sid", sid)
		for _, queued := range []element{one, two} {
			r.want(r.event("offline", "sid", sid), "out", queued.attr("out"), "key", queued.attr("key"), "class", "message")
		}
		r.want(r.event("ended", "sid", sid), "reason", "Hibernating too long")
		r.nothing("offline")
	})
	t.Run("cut without resumption, archive", func(t *testing.T) {
		r := newRig(t)
		phone := r.login("alice/phone", func(o *lab.ClientOptions) { o.NoResume, o.Archive = true, true })
		sid := r.event("bind", "user", "alice").attr("sid")
		r.check(phone.Freeze(r.ctx))
		r.say("one")
		archived := r.event("archived", "user", "alice")
		r.check(phone.Drop(r.ctx))
		r.want(r.event("offline", "sid", sid), "key", archived.attr("key"), "class", "message")
		r.event("ended", "sid", sid)
		r.nothing("offline")
	})
}
