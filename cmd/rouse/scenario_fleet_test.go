package main

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestHolderIsKilled: another process has the link within 5 s, and what came
// meanwhile wakes once.
func TestHolderIsKilled(t *testing.T) {
	pairs(t, func(t *testing.T, a, b *play, _ *lab.Redis) {
		b.standsBy()
		a.sleeps(a.device("phone"))
		a.chat("m1")
		a.wants("phone")
		a.kills()
		b.follows(a)
		died := mark()
		a.sends(lab.Chat(a.juliet(), "m2", "body of m2"))
		b.takesOver(died, 5*time.Second)
		b.wants("phone", "phone")
		b.must(b.await(b.ctx, "the killed one to be off the list", func() bool { return b.gauge("rouse_processes") == "1" }))
		if n := b.logged(`msg="a process is gone`); n != 1 {
			t.Errorf("it is said %d times that a process is gone", n)
		}
	})
}

// TestHolderIsPaused: the server still has its connection when another process
// comes. When it wakes it does not touch the link, nor decide anything; ejabberd,
// left to itself, would deal stanzas out to both.
func TestHolderIsPaused(t *testing.T) {
	pairs(t, func(t *testing.T, a, b *play, _ *lab.Redis) {
		b.standsBy()
		a.sleeps(a.device("phone"))
		a.chat("m1")
		a.wants("phone")
		a.past = a.owed()
		b.follows(a)
		before := a.logins()
		a.signals(syscall.SIGSTOP)
		paused := mark()
		a.sends(lab.Chat(a.juliet(), "m2", "body of m2")) // reported to the one that does not move
		b.takesOver(paused, 5*time.Second)
		b.wants("phone", "phone")
		a.must(b.await(b.ctx, "8 s", func() bool { return time.Since(paused.at) > 8*time.Second }))
		logins := a.logins()

		a.signals(syscall.SIGCONT)
		a.standing()
		want := []string{"phone", "phone"}
		for _, id := range []string{"m3", "m4", "m5"} {
			b.chat(id)
			want = append(want, "phone")
			b.were(want...)
		}
		b.wants(want...)
		a.must(a.await(a.ctx, "the picture of both", func() bool { return a.gauge("rouse_processes") == "2" && b.gauge("rouse_processes") == "2" }))
		if n := a.owed(); n != a.past {
			t.Errorf("the one that was paused decided %d wakes more", n-a.past)
		}
		if n := a.logins(); logins != before+1 || n != logins || !b.linked() || a.linked() {
			t.Errorf("%d connections, then %d, then %d, want one more and no more", before, logins, n)
		}
		a.standing()
	})
}

// TestServerKeepsTheOldLink: without kick_old a process that is paused keeps the
// others out, and the log says how to mend it.
func TestServerKeepsTheOldLink(t *testing.T) {
	holder, other := pair(t, lab.Options{})
	other.standsBy()
	holder.sleeps(holder.device("phone"))
	remedy := `below Component \"push.example.test\" (Prosody)`
	refused := func() bool {
		return other.logged("conflict") > 1 && other.logged(`component_conflict_resolve = \"kick_old\" `+remedy) > 1
	}
	holder.signals(syscall.SIGSTOP)
	for range 3 {
		other.must(other.await(other.ctx, "the remedy in the log", func() bool { return refused() || other.linked() }))
		if refused() {
			break
		}
		// On a busy machine the holder had lost its link at that very moment.
		holder.signals(syscall.SIGCONT)
		holder.standing()
		holder, other = other, holder
		holder.signals(syscall.SIGSTOP)
	}
	if !refused() {
		t.Fatal("a second connection was let in")
	}
	holder.signals(syscall.SIGCONT)
	other.takesOver(mark(), 5*time.Second) // it lets go at once
	holder.standing()
	other.chat("m1")
	other.wants("phone")
}

// TestStoreIsAway: without the store nobody can know who may have the link, so
// nobody has it. What the server kept wakes when the store is back, once.
func TestStoreIsAway(t *testing.T) {
	pairs(t, func(t *testing.T, a, b *play, redis *lab.Redis) {
		b.standsBy()
		a.sleeps(a.device("phone"))
		a.chat("m1")
		a.wants("phone")
		a.past += a.owed()
		a.must(redis.Pause())
		paused := mark()
		a.sends(lab.Chat(a.juliet(), "m2", "body of m2"))
		a.losesLink(paused, 5*time.Second)
		for _, p := range []*play{a, b} {
			p.must(p.await(p.ctx, "both to say so", func() bool {
				text := p.get("/readyz")
				return strings.HasPrefix(text, "not ready\n") && strings.Contains(text, "standing by: the store does not say who may have it")
			}))
		}
		a.must(redis.Resume())
		back := time.Now()
		a.must(a.await(a.ctx, "one to have the link", func() bool { return a.linked() || b.linked() }))
		t.Logf("one has the link %v after the store was back", time.Since(back).Round(time.Millisecond))
		holder := a
		if b.linked() {
			holder = b
			b.past = a.past
		} else {
			a.past = 0 // it still counts
		}
		holder.wants("phone", "phone")
	})
}

// TestBothSend: what one process does not come to sending, the other sends.
func TestBothSend(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks, HostLua: "push_max_devices = 100"})
	b.standsBy()
	const users, each = 6, 32 // more than the 128 that are sent at once
	want := make(map[string]int)
	for u := range users {
		name := fmt.Sprintf("user%d", u)
		a.must(a.prosody.AddUser(name, "pw"))
		c := a.client(name, "phone", lab.ClientOptions{})
		before := a.events("enable")
		for d := range each {
			device := fmt.Sprintf("%s-%d", name, d)
			r, err := c.Register(a.ctx, a.prosody.Rouse().JID, "fcm", pushtest.FCMToken(device), device)
			a.must(err)
			a.must(c.EnablePush(a.ctx, r))
			want[pushtest.FCMToken(device)] = 1
		}
		a.saw("enable", before+each)
		a.leaves(c)
	}
	a.fcm.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: 3 * time.Second} })
	for u := range users {
		a.must(a.romeo.Send(a.ctx, lab.Chat(fmt.Sprintf("user%d@%s", u, a.prosody.Host()), fmt.Sprintf("m%d", u), "body")))
	}
	got, err := a.fcm.WaitDelivered(a.ctx, users*each)
	a.must(err)
	a.must(a.await(a.ctx, "the count of both", func() bool { return a.delivered()+b.delivered() == users*each }))
	t.Logf("%d sent by the one with the link, %d by the other", a.delivered(), b.delivered())
	if a.delivered() == 0 || b.delivered() == 0 {
		t.Errorf("%d were sent by the one with the link, %d by the other", a.delivered(), b.delivered())
	}
	times := make(map[string]int)
	for _, w := range got {
		times[w.Token]++
	}
	if !maps.Equal(times, want) || len(a.fcm.Received()) != users*each {
		t.Errorf("%d tries for %d devices, want %d", len(a.fcm.Received()), len(times), users*each)
	}
}

// TestHandOver: a process that stops in good order is followed at once.
func TestHandOver(t *testing.T) {
	pairs(t, func(t *testing.T, a, b *play, _ *lab.Redis) {
		b.standsBy()
		a.sleeps(a.device("phone"))
		a.chat("m1")
		a.wants("phone")
		a.past += a.owed()
		b.follows(a)
		a.must(a.stop())
		stopped := mark()
		a.sends(lab.Chat(a.juliet(), "m2", "body of m2"))
		b.takesOver(stopped, 5*time.Second)
		b.wants("phone", "phone")
		if n := b.logged(`msg="a process is gone`); n != 0 {
			t.Error("a process that departed is taken for dead")
		}
	})
}

// TestKilledDuringTheSendBesideAnother: nobody knows whether the provider took
// the wake. Another process sends it again, as soon as the killed one is known to
// be gone, so that the phone can tell that it is the same one.
func TestKilledDuringTheSendBesideAnother(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	a.sleeps(a.device("phone"))
	a.fcm.Queue(pushtest.Reply{Hang: true})
	a.chat("m1")
	_, err := a.fcm.Wait(a.ctx, 1)
	a.must(err)
	b.standsBy()
	a.kills()
	b.follows(a)
	died := mark()
	b.were("phone")
	b.within(died, 8*time.Second, "it was sent again")
	b.wants("phone")
	if tries := a.fcm.Received(); len(tries) != 2 || tries[0].ID != tries[1].ID || tries[0].Collapse != tries[1].Collapse {
		t.Errorf("tries: %+v", tries)
	}
}

// TestStatusOfTwo: both are asked, then the store itself.
func TestStatusOfTwo(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	b.standsBy()
	host := machine()
	for _, p := range []*play{a, b} {
		p.must(p.await(p.ctx, "both in the status", func() bool {
			text := p.get("/status.json")
			return strings.Contains(text, `"link":"up"`) && strings.Contains(text, `"link":"standing by"`)
		}))
		text := p.runs(0, "status")
		for _, want := range []string{
			fmt.Sprintf("link       %s (pid %d) has it since ", host, a.rouse.Process.Pid),
			fmt.Sprintf(" %d ", b.rouse.Process.Pid), "standing by", "store      redis://127.0.0.1:",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	a.kills()
	text := a.runs(0, "status") // its own rouse is dead
	if !strings.Contains(text, fmt.Sprintf(" %d ", b.rouse.Process.Pid)) {
		t.Errorf("b is not in\n%s", text)
	}
	b.takesOver(mark(), 5*time.Second)
	b.kills()
	b.must(b.await(b.ctx, "both to be taken for dead", func() bool {
		return strings.Contains(b.runs(-1, "status"), "rouse: no rouse works on this store\n")
	}))
}
