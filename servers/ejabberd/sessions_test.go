package ejabberd_test

import (
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

func TestOnline(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	bind := r.Event("bind", "user", "alice", "resource", "phone")
	if bind.Attr("sid") == "" || bind.Attr("t") == "" {
		t.Errorf("%v: no sid or t", bind)
	}
	r.Say("hello")
	_, err := phone.AwaitBody(r.Ctx, "hello")
	r.Check(err)
	r.Event("archived", "user", "alice", "class", "message")
	r.Nothing("late", "delayed", "queued", "offline", "hibernated", "archived")
	r.Check(phone.Bye(r.Ctx))
	r.Want(r.Event("ended", "user", "alice"), "sid", bind.Attr("sid"))
}

func TestClientState(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Inactive(r.Ctx))
	r.Event("csi", "user", "alice", "state", "inactive")
	r.Say("while inactive")
	_, err := phone.AwaitBody(r.Ctx, "while inactive")
	r.Check(err)
	r.Nothing("late", "delayed", "queued", "offline")
	r.Check(phone.Active(r.Ctx))
	r.Event("csi", "user", "alice", "state", "active")
}

func TestFrozen(t *testing.T) {
	for _, c := range []struct {
		name, key string
		archive   bool
	}{{"with the archive", "s:", true}, {"without the archive", "i:bob@example.test/desk chat id-", false}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(o *lab.EjabberdOptions) { o.NoArchive = !c.archive })
			phone := r.Login("alice/phone")
			sid := r.Event("bind", "user", "alice").Attr("sid")
			r.Marker()
			r.Check(phone.Freeze(r.Ctx))
			r.Say("one")
			delayed := r.Event("delayed", "sid", sid)
			out := delayed.Attr("out")
			if acked := delayed.Attr("acked"); acked == "" || acked == out { // what came before may be unacknowledged too
				t.Errorf("%v: acked is %q of %s", delayed, acked, out)
			}
			r.WantUnread(delayed, "message "+out+" 1")

			// Prosody itself reports no second delay.
			r.Send(lab.Composing("alice@"+r.e.Host(), "c"))
			r.Say("two")
			late := r.Event("late", "sid", sid)
			r.Want(late, "class", "message", "out", servertest.Plus(out, 2))
			if !strings.HasPrefix(late.Attr("key"), c.key) {
				t.Errorf("key of %v: want %s…", late, c.key)
			}
			r.Send(lab.Encrypted("alice@"+r.e.Host(), "omemo"))
			r.Want(r.Event("late", "sid", sid), "class", "message", "out", servertest.Plus(out, 3))
			r.Send(lab.Receipt("alice@"+r.e.Host(), "rc", "x"))
			r.Nothing("late", "delayed")

			r.Check(phone.Thaw(r.Ctx))
			if heard := r.Event("heard", "sid", sid, "state", "active"); heard.Attr("acked") == "" {
				t.Errorf("%v: no acked", heard)
			}
			r.Say("three")
			_, err := phone.AwaitBody(r.Ctx, "three")
			r.Check(err)
			r.Nothing("late", "delayed")
		})
	}
}

// A client that talks and does not acknowledge is watched again after the ack delay.
func TestHeardWithoutAck(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.Marker()
	r.Check(phone.Freeze(r.Ctx))
	r.Say("one")
	delayed := r.Event("delayed", "sid", sid)
	r.Check(phone.Send(r.Ctx, lab.Chat("bob@"+r.e.Host(), "from-phone", "I am here")))
	r.Want(r.Event("heard", "sid", sid), "acked", delayed.Attr("acked"))
	r.Say("two")
	_, err := r.Bob.AwaitBody(r.Ctx, "I am here")
	r.Check(err)
	again := r.Event("delayed", "sid", sid)
	r.WantUnread(again, "message "+servertest.Plus(delayed.Attr("out"), 1)+" 2")
	r.Say("three")
	r.Want(r.Event("late", "sid", sid), "out", servertest.Plus(delayed.Attr("out"), 2))
}

func TestSleep(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	_, err := phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	r.Check(phone.Drop(r.Ctx))
	hibernated := r.Event("hibernated", "sid", sid)
	out := hibernated.Attr("out")
	r.WantUnread(hibernated)

	began := time.Now()
	r.Say("one")
	r.Event("archived", "user", "alice")
	queued := r.Event("queued", "sid", sid)
	t.Logf("a message sent, its event here: %v", time.Since(began))
	r.Want(queued, "class", "message", "out", servertest.Plus(out, 1))
	r.Send(lab.Composing("alice@"+r.e.Host(), "c"))
	r.Send(lab.Displayed("alice@"+r.e.Host(), "d", "x"))
	r.Send(lab.Receipt("alice@"+r.e.Host(), "r", "x"))
	r.Nothing("queued", "archived", "offline")
	r.Send(lab.Encrypted("alice@"+r.e.Host(), "omemo"))
	r.Want(r.Event("queued", "sid", sid), "class", "message", "out", servertest.Plus(out, 5))

	// Resumed, and cut before anything was read: what is unread stays unread.
	resumed, err := phone.Login(r.Ctx)
	r.Check(err)
	if !resumed {
		t.Fatal("the session was not resumed")
	}
	r.Want(r.Event("resumed", "sid", sid), "state", "active", "out", servertest.Plus(out, 5))
	for _, body := range []string{"one"} {
		_, err := phone.AwaitBody(r.Ctx, body)
		r.Check(err)
	}
	_, err = phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	r.Check(phone.Freeze(r.Ctx))
	r.Say("two")
	r.Event("archived", "user", "alice")
	r.Check(phone.Drop(r.Ctx))
	again := r.Event("hibernated", "sid", sid)
	r.WantUnread(again, "message "+again.Attr("out")+" 1")

	// The watch of late acknowledgements works on the new connection too.
	_, err = phone.Login(r.Ctx)
	r.Check(err)
	r.Event("resumed", "sid", sid)
	_, err = phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	r.Check(phone.Freeze(r.Ctx))
	r.Say("three")
	delayed := r.Event("delayed", "sid", sid)
	r.Say("four")
	r.Want(r.Event("late", "sid", sid), "out", servertest.Plus(delayed.Attr("out"), 1))
	r.Check(phone.Thaw(r.Ctx))
	r.Event("heard", "sid", sid)

	// A fresh login of the same client: the old session is replaced.
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "sid", sid)
	r.Check(phone.Forget(r.Ctx))
	_, err = phone.Login(r.Ctx)
	r.Check(err)
	// ejabberd reports the new session first.
	if bind := r.Event("bind", "user", "alice"); bind.Attr("sid") == sid {
		t.Errorf("%v: the same sid for another session", bind)
	}
	if ended := r.Event("ended", "sid", sid); !strings.Contains(ended.Attr("reason"), "Replaced by new connection") {
		t.Errorf("%v: want it to be replaced", ended)
	}
}

// What is sent again at a resume may be acknowledged as late as anything that is sent.
func TestResumeLater(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "sid", sid)
	r.Say("one")
	r.Event("queued", "sid", sid)
	time.Sleep(ackDelay)
	_, err := phone.Login(r.Ctx)
	r.Check(err)
	r.Event("resumed", "sid", sid)
	_, err = phone.AwaitBody(r.Ctx, "one")
	r.Check(err)
	r.Nothing("delayed")
}

// CSI does not survive a resume on ejabberd, and the event says so.
func TestResumeInactive(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Inactive(r.Ctx))
	r.Event("csi", "user", "alice", "state", "inactive")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	_, err := phone.Login(r.Ctx)
	r.Check(err)
	r.Event("resumed", "user", "alice", "state", "active")
}

// What is in the queue of a session that is gone for good carries its place there.
func TestGivenBack(t *testing.T) {
	t.Run("expired, offline storage", func(t *testing.T) {
		r := newRig(t, func(o *lab.EjabberdOptions) {
			o.NoArchive, o.ResumeTimeout = true, 1500*time.Millisecond
			o.Modules = map[string]string{"mod_stream_mgmt": "resend_on_timeout: if_offline"}
		})
		phone := r.Login("alice/phone")
		r.Check(phone.Drop(r.Ctx))
		sid := r.Event("hibernated", "user", "alice").Attr("sid")
		r.Say("one")
		r.Say("two")
		one := r.Event("queued", "sid", sid)
		two := r.Event("queued", "sid", sid)
		for _, queued := range []servertest.Element{one, two} {
			r.Want(r.Event("offline", "sid", sid), "out", queued.Attr("out"), "key", queued.Attr("key"), "class", "message")
		}
		if ended := r.Event("ended", "sid", sid); !strings.Contains(ended.Attr("reason"), "Timed out waiting for stream resumption") {
			t.Errorf("%v: want it to have expired", ended)
		}
		r.Nothing("offline")
	})
	// ejabberd's default: what the archive has is dropped, what it has not goes back to the sender.
	t.Run("expired, archive", func(t *testing.T) {
		r := newRig(t, func(o *lab.EjabberdOptions) { o.ResumeTimeout = 1500 * time.Millisecond })
		phone := r.Login("alice/phone")
		r.Check(phone.Drop(r.Ctx))
		sid := r.Event("hibernated", "user", "alice").Attr("sid")
		r.Say("one")
		queued := r.Event("queued", "sid", sid)
		r.Want(r.Event("offline", "sid", sid), "out", queued.Attr("out"), "key", queued.Attr("key"), "class", "message")
		r.Event("ended", "sid", sid)
	})
	t.Run("expired, nothing keeps it", func(t *testing.T) {
		r := newRig(t, func(o *lab.EjabberdOptions) { o.NoArchive, o.ResumeTimeout = true, 1500*time.Millisecond })
		phone := r.Login("alice/phone")
		r.Check(phone.Drop(r.Ctx))
		sid := r.Event("hibernated", "user", "alice").Attr("sid")
		r.Say("one")
		r.Event("queued", "sid", sid)
		_, err := r.Bob.Await(r.Ctx, func(s lab.Stanza) bool { return s.Type == "error" && s.ID == "id-one" })
		r.Check(err)
		r.Event("ended", "sid", sid)
		r.Nothing("offline")
	})
	t.Run("cut without resumption, archive", func(t *testing.T) {
		r := newRig(t)
		phone := r.Login("alice/phone", func(o *lab.ClientOptions) { o.NoResume, o.Archive = true, true })
		sid := r.Event("bind", "user", "alice").Attr("sid")
		r.Check(phone.Freeze(r.Ctx))
		r.Say("one")
		archived := r.Event("archived", "user", "alice")
		r.Check(phone.Drop(r.Ctx))
		r.Want(r.Event("offline", "sid", sid), "key", archived.Attr("key"), "class", "message")
		r.Event("ended", "sid", sid)
		r.Nothing("offline")
	})
}

// ejabberd breaks a connection that does not acknowledge for ack_timeout; what it had is told then.
func TestAckTimeout(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) { o.AckDelay, o.AckTimeout = time.Second, 3*time.Second })
	phone := r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.Marker()
	r.Check(phone.Freeze(r.Ctx))
	r.Say("one")
	delayed := r.Event("delayed", "sid", sid)
	hibernated := r.Event("hibernated", "sid", sid)
	r.WantUnread(hibernated, "message "+delayed.Attr("out")+" 1")
}

// A process that is killed cannot say that its session is gone.
func TestKilledSession(t *testing.T) {
	r := newRig(t)
	r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.eval(`exit(ejabberd_sm:get_session_pid(<<"alice">>, <<"example.test">>, <<"phone">>), kill).`)
	r.Want(r.Event("ended", "sid", sid), "reason", "killed")
}
