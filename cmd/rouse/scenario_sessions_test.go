package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

const juliet = "juliet@example.test"

func TestOnlineNobodyIsWoken(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.chat("m1")
	_, err := phone.AwaitBody(p.ctx, "body of m1")
	p.must(err)
	p.wants()
}

func TestInactiveIsDeliveredAndNotWoken(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.must(phone.Inactive(p.ctx))
	p.saw("csi", 1)
	p.chat("m1")
	_, err := phone.AwaitBody(p.ctx, "body of m1")
	p.must(err)
	p.wants()
}

// TestFrozen: TCP is open and nothing is acknowledged. Prosody reports one ack
// delay and nothing after it; rouse wakes for what comes later as well.
func TestFrozen(t *testing.T) {
	for _, c := range []struct {
		name      string
		noArchive bool
	}{{"with an archive", false}, {"without", true}} {
		t.Run(c.name, func(t *testing.T) {
			p := begin(t, lab.Options{AckDelay: 2 * time.Second, NoArchive: c.noArchive})
			phone := p.device("phone")
			p.must(phone.Freeze(p.ctx))
			p.chat("m1")
			p.wants()
			p.saw("delayed", 1)
			p.wants("phone")
			p.chat("m2") // the window of the first wake is open: one more at its end
			p.wants("phone", "phone")
			p.must(phone.Thaw(p.ctx))
			p.saw("heard", 1)
			p.chat("m3")
			_, err := phone.AwaitBody(p.ctx, "body of m3")
			p.must(err)
			p.wants("phone", "phone")
		})
	}
}

func TestFrozenInARoom(t *testing.T) {
	p := begin(t, lab.Options{AckDelay: 2 * time.Second, Rooms: "rooms.example.test"})
	const room = "verona@rooms.example.test"
	p.must(p.romeo.Join(p.ctx, room, "romeo"))
	phone := p.device("phone")
	p.must(phone.Join(p.ctx, room, "juliet"))
	p.must(phone.Freeze(p.ctx))
	p.says(lab.GroupChat(room, "g1", "hello, all"))
	p.saw("delayed", 1)
	p.wants("phone")
	p.says(lab.GroupChat(room, "g2", "anybody?"))
	p.wants("phone", "phone")
}

func TestCut(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.sleeps(phone)
	p.wants()
	begun := time.Now()
	p.chat("m1")
	p.wants("phone")
	if took := p.last().At.Sub(begun); took > time.Second {
		t.Errorf("woken %v after the message was sent, want within 1 s", took)
	}
	if w := p.last(); w.Priority != "high" || w.Account != p2.Device(juliet, "phone") {
		t.Errorf("woken as %+v", w)
	}
	p.noSecrets("body of m1", pushtest.FCMToken("phone"), p.nodes["phone"].Secret, p.nodes["phone"].Node)
}

func TestResumedWithoutAckAndCutAgain(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.sleeps(phone)
	p.chat("m1")
	p.wants("phone")
	p.wakesUp(phone)
	p.must(phone.Freeze(p.ctx)) // it has read m1 and acknowledges nothing any more
	p.chat("m2")
	p.sleeps(phone)
	p.wants("phone", "phone")
}

func TestLoggedOutArchiveAndOfflineAreOne(t *testing.T) {
	p := begin(t, lab.Options{})
	p.leaves(p.device("phone"))
	p.chat("m1")
	p.saw("archived", 1)
	p.saw("offline", 1)
	p.wants("phone")
}

func TestTheDesktopIsActive(t *testing.T) {
	for _, c := range []struct {
		name string
		gone func(*play, *lab.Client)
	}{
		{"the phone is hibernated", (*play).sleeps},
		{"the phone has no session", (*play).leaves},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := begin(t, lab.Options{})
			desk := p.device("desk")
			c.gone(p, p.device("phone"))
			p.chat("m1")
			_, err := desk.AwaitBody(p.ctx, "body of m1")
			p.must(err)
			p.wants("phone")
		})
	}
}

func TestNothingWorthAWake(t *testing.T) {
	p := begin(t, lab.Options{Rooms: "rooms.example.test"})
	const room = "verona@rooms.example.test"
	p.must(p.romeo.Join(p.ctx, room, "romeo"))
	desk := p.client("juliet", "desk", lab.ClientOptions{Carbons: true})
	phone := p.client("juliet", "phone", lab.ClientOptions{Carbons: true})
	p.enable(phone, "phone")
	p.must(phone.Join(p.ctx, room, "juliet"))
	p.sleeps(phone)
	p.says(lab.Composing(juliet, "c1"))
	p.says(lab.Receipt(juliet, "r1", "m0"))
	p.says(lab.Displayed(juliet, "d1", "m0"))
	p.says(lab.Subject(room, "s1", "On balconies"))
	p.must(desk.Send(p.ctx, lab.Chat("romeo@example.test", "own", "sent from the desktop"))) // a carbon for the phone
	_, err := p.romeo.AwaitBody(p.ctx, "sent from the desktop")
	p.must(err)
	p.wants()
	p.chat("m1") // and the phone can be woken indeed
	p.wants("phone")
}

func TestEncryptedMessagesWake(t *testing.T) {
	p := begin(t, lab.Options{})
	p.sleeps(p.device("phone"))
	p.says(lab.Encrypted(juliet, "e1"))
	p.wants("phone")
}

// TestACallRingsAtOnce: even on a connection that only looks alive, and urgently.
func TestACallRingsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name      string
		noArchive bool
	}{{"with an archive", false}, {"without", true}} {
		t.Run(c.name, func(t *testing.T) {
			p := begin(t, lab.Options{NoArchive: c.noArchive})
			phone := p.device("phone")
			p.must(phone.Inactive(p.ctx))
			p.saw("csi", 1)
			p.must(phone.Freeze(p.ctx))
			begun := time.Now()
			p.says(lab.Propose(juliet, "call"))
			p.wants("phone")
			w := p.last()
			if took := w.At.Sub(begun); took > time.Second {
				t.Errorf("it rang after %v, want within 1 s", took)
			}
			if w.Priority != "high" || w.TTL > time.Minute || w.TTL <= 0 || w.Collapse != "" {
				t.Errorf("it rang with priority %q, ttl %v, collapse key %q", w.Priority, w.TTL, w.Collapse)
			}
		})
	}
}

func TestDisable(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.must(phone.DisablePush(p.ctx, p.prosody.Rouse().JID, ""))
	p.saw("disable", 1)
	p.sleeps(phone)
	p.chat("m1")
	p.wants()
}

func TestEnabledAgainWithANewToken(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	old := p.nodes["phone"]
	r, err := phone.Register(p.ctx, p.prosody.Rouse().JID, "fcm", pushtest.FCMToken("newer"), "phone")
	p.must(err)
	if r != old {
		t.Errorf("the same device got %+v, and before %+v", r, old)
	}
	p.nodes["newer"] = r
	p.must(phone.EnablePush(p.ctx, r))
	p.saw("enable", 2)
	p.sleeps(phone)
	p.chat("m1")
	p.wants("newer")
}

func TestAccountDeleted(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.sleeps(phone)
	_, err := p.prosody.Shell(p.ctx, `user:delete("`+juliet+`")`)
	p.must(err)
	p.saw("deleted", 1)
	// The node is dead for everybody: a server that still publishes learns it.
	p.chat("m1")
	p.wants()
	r, err := p.romeo.Register(p.ctx, p.prosody.Rouse().JID, "fcm", pushtest.FCMToken("r"), "r")
	p.must(err)
	if r.Node == p.nodes["phone"].Node {
		t.Error("two devices have one node")
	}
}

// TestLongNamesStallNothing: ids and nodes are the clients' choice, and many long
// ones must not make a batch that cannot be taken.
func TestLongNamesStallNothing(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	desk := p.client("juliet", "desk", lab.ClientOptions{})
	p.must(desk.EnablePush(p.ctx, lab.Registration{Service: "push.elsewhere.test", Node: strings.Repeat("n", 100_000)}))
	p.leaves(desk)
	p.sleeps(phone)
	for i := range 150 {
		p.must(p.romeo.Send(p.ctx, lab.Chat(juliet, fmt.Sprintf("%d%s", i, strings.Repeat("x", 9000)), "long")))
	}
	p.settle()
	p.saw("queued", 150)
	if up := p.gauge("rouse_component_connected"); up != "1" {
		t.Errorf("the link: %s", up)
	}
	if _, err := p.fcm.WaitDelivered(p.ctx, 1); err != nil {
		t.Fatalf("nobody was woken: %v", p.told())
	}
}
