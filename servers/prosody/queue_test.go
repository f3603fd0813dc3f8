package prosody_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

// waitFor tries again, 20 times a second, until it is so.
func (r *rig) waitFor(what string, so func() bool) {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// saved tells whether the module has a chunk of its queue on disk.
func (r *rig) saved() bool {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.p.LogFile()), "data", "*", "rouse", "q%40*"))
	r.check(err)
	return len(files) > 0
}

func (r *rig) lastBatch() element {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.batches[len(r.f.batches)-1]
}

// reconnect brings rouse back and bob with it, where the server was restarted.
func (r *rig) reconnect() {
	r.t.Helper()
	r.f.connect()
	if _, err := r.bob.IQ(r.ctx, r.p.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>"); err != nil {
		r.t.Fatal(err)
	}
}

// While rouse is away everything waits, in order, and nothing comes twice.
func TestRouseAway(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	sid := r.event("bind", "user", "alice").attr("sid")
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "sid", sid)
	r.f.disconnect()
	for i := range 3 {
		r.say(strconv.Itoa(i))
	}
	r.waitFor("the queue is saved", r.saved)
	began := time.Now()
	r.reconnect()
	n := r.event("queued", "sid", sid).attr("n")
	t.Logf("rouse connected, the first waiting event here: %v", time.Since(began))
	r.want(r.event("queued", "sid", sid), "n", plus(n, 1))
	r.want(r.event("queued", "sid", sid), "n", plus(n, 2))
	r.nothing("queued", "hibernated", "resumed")
	r.waitFor("what was taken is not kept", func() bool { return !r.saved() })
}

// The batch that rouse did not take comes again under its number.
func TestRepeat(t *testing.T) {
	for _, how := range []string{"wait resource-constraint", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, func(o *lab.Options) { o.HostLua = "rouse_answer_timeout = 1" })
			r.f.answers(func(element) string { return how })
			r.say("one")
			r.waitFor("a repeated batch", func() bool {
				r.f.mu.Lock()
				defer r.f.mu.Unlock()
				n := len(r.f.batches)
				return n > 1 && len(r.f.batches[n-1].Children) > 0 && r.f.batches[n-1].attr("seq") == r.f.batches[n-2].attr("seq")
			})
			seq := r.lastBatch().attr("seq")
			r.f.answers(nil)
			r.event("archived", "user", "alice")
			if got := r.lastBatch().attr("seq"); got != seq {
				t.Errorf("the batch came again as %s, was %s", got, seq)
			}
			r.nothing("archived")
		})
	}
}

// What rouse will never take is dropped, and the next batch goes on.
func TestRefused(t *testing.T) {
	for _, how := range []string{"auth forbidden", "modify bad-request"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.f.answers(func(element) string { return how })
			r.say("one")
			r.waitFor("the batch was refused", func() bool { return strings.Contains(r.p.LogTail(100), "rouse refuses events") })
			r.f.answers(nil)
			r.send(lab.Chat(r.jid("carol"), "two", "two"))
			r.event("archived", "user", "carol")
		})
	}
}

// A restart of the server loses nothing, whether rouse is there or not.
func TestRestart(t *testing.T) {
	for _, how := range []string{"rouse up", "rouse down", "killed"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			phone := r.login("alice/phone")
			sid := r.event("bind", "user", "alice").attr("sid")
			before := r.lastBatch().attr("epoch")
			r.check(phone.Drop(r.ctx))
			r.event("hibernated", "sid", sid)
			if how != "rouse up" {
				r.f.disconnect()
			}
			r.say("one")
			if how == "rouse up" {
				r.event("queued", "sid", sid)
			} else {
				r.waitFor("the queue is saved", r.saved)
			}
			if how == "killed" {
				r.check(r.p.Kill())
			} else {
				r.check(r.p.Stop(r.ctx))
			}
			r.f.disconnect()
			r.check(r.p.Start(r.ctx))
			r.check(r.bob.Forget(r.ctx))
			_, err := r.bob.Login(r.ctx)
			r.check(err)
			r.f.connect()
			if how != "rouse up" {
				r.want(r.event("queued", "sid", sid), "epoch", before, "class", "message")
			}
			if how == "rouse down" {
				r.event("ended", "sid", sid, "epoch", before)
			}
			r.want(r.event("bind", "user", "bob"), "epoch", "")
			after := r.lastBatch()
			if x, y := number(t, before), number(t, after.attr("epoch")); y <= x {
				t.Errorf("epoch %d after %d", y, x)
			}
			r.waitFor("what was taken is not kept", func() bool { return !r.saved() })
		})
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The epoch grows although the clock went back.
func TestEpoch(t *testing.T) {
	r := newRig(t)
	r.check(r.p.Stop(r.ctx))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.p.LogFile()), "data", "*", "rouse", "%40.dat"))
	r.check(err)
	if len(files) != 1 {
		t.Fatalf("the epoch is stored in %q", files)
	}
	r.check(os.WriteFile(files[0], []byte(`return { epoch = "9000000000000" };`), 0o600))
	r.f.disconnect()
	r.check(r.p.Start(r.ctx))
	r.f.connect()
	r.waitFor("a batch of the new epoch", func() bool { return r.lastBatch().attr("epoch") == "9000000000001" })
}

// A full queue drops reports of stanzas, not of sessions, and leaves a gap.
func TestOverflow(t *testing.T) {
	r := newRig(t, func(o *lab.Options) { o.HostLua = "rouse_max_queue = 100\nrouse_batch = 10" })
	r.f.disconnect()
	r.login("carol/phone")
	for i := range 120 { // two events each: archived and offline
		r.say(fmt.Sprint(i))
	}
	r.waitFor("the queue overflows", func() bool { return strings.Contains(r.p.LogTail(300), "is full") })
	r.reconnect()
	r.event("bind", "user", "carol")
	r.event("archived", "user", "alice")
	stanzas := 0
	for _, e := range r.marker() {
		if e.XMLName.Local == "archived" || e.XMLName.Local == "offline" {
			stanzas++
		}
	}
	if stanzas == 0 || stanzas > 100 {
		t.Errorf("%d reports of stanzas came out of a queue of 100", stanzas)
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	gaps, last := 0, 0
	for _, b := range r.f.batches {
		seq := number(t, b.attr("seq"))
		if len(b.Children) > 10 {
			t.Errorf("batch %d has %d events", seq, len(b.Children))
		}
		if seq > last+1 {
			gaps++
		}
		last = seq
	}
	if gaps == 0 {
		t.Error("no gap between the batches, so rouse would not ask for the picture")
	}
}

// Stock behaviour comes back when the module is taken out, and goes when it is put in.
func TestUnload(t *testing.T) {
	r := newRig(t, withOthers)
	phone := r.login("alice/phone")
	service := r.service()
	r.enable(phone, others.JID, "n1")
	tablet := r.login("alice/tablet")
	r.check(tablet.Freeze(r.ctx))
	r.check(phone.Drop(r.ctx))
	r.event("hibernated", "user", "alice")
	r.say("one")
	r.event("queued", "user", "alice")
	r.event("delayed", "user", "alice")
	// mod_cloud_notify gathers for a second before it publishes; the delay took two.
	if n := service.published(); n != 0 {
		t.Fatalf("%d publishes although rouse takes events", n)
	}
	r.check(r.p.Unload(r.ctx, "rouse"))
	out, err := r.p.Shell(r.ctx, `>local n = 0; for _, s in pairs(prosody.full_sessions) do for _, list in pairs(s.filters or {}) do for i = 1, #list do if debug.getinfo(list[i]).source:find("rouse") then n = n + 1 end end end end return true, "filters: "..n`)
	r.check(err)
	if !strings.Contains(out, "filters: 0") {
		t.Errorf("filters are left behind: %s", out)
	}
	r.say("two")
	_, err = service.awaitOther(r.ctx, func(e element) bool { return e.attr("type") == "set" })
	r.check(err)

	r.check(r.p.Load(r.ctx, "rouse"))
	r.say("three")
	var came []string
	for _, e := range r.marker() {
		came = append(came, e.XMLName.Local)
	}
	for _, want := range []string{"queued", "late"} { // the tablet is known to be late
		if !slices.Contains(came, want) {
			t.Errorf("no %s after the module was loaded, but %q", want, came)
		}
	}
	if n := service.published(); n != 1 {
		t.Errorf("%d publishes, want the one made without the module", n)
	}
	r.ask("<picture" + ns + "/>")
	r.want(r.event("endpoint"), "user", "alice", "node", "n1")
}

// published counts the publishes that came.
func (f *fake) published() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.others {
		if e.attr("type") == "set" {
			n++
		}
	}
	return n
}

func TestReload(t *testing.T) {
	r := newRig(t)
	phone := r.login("alice/phone")
	r.check(phone.Drop(r.ctx))
	sid := r.event("hibernated", "user", "alice").attr("sid")
	before := r.lastBatch().attr("epoch")
	r.f.answers(func(element) string { return "wait resource-constraint" })
	r.say("one")
	r.waitFor("the batch came", func() bool { return len(r.lastBatch().Children) > 0 })
	r.check(r.p.Reload(r.ctx, "rouse"))
	r.f.answers(nil)
	r.want(r.event("queued"), "sid", sid, "epoch", before)
	r.say("two")
	r.want(r.event("queued"), "sid", sid, "epoch", "", "n", "1")
}

// While rouse takes nothing for long enough the server pushes by itself, but not to rouse, and says so afterwards.
func TestFallback(t *testing.T) {
	for _, how := range []string{"no link", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, withOthers, func(o *lab.Options) { o.HostLua = "rouse_fallback = 1\nrouse_answer_timeout = 1" })
			phone, tablet := r.login("alice/phone"), r.login("alice/tablet")
			service := r.service()
			r.enable(phone, others.JID, "n1")
			r.enable(tablet, r.p.Rouse().JID, "n2")
			r.check(phone.Drop(r.ctx))
			r.event("hibernated", "user", "alice")
			r.check(tablet.Drop(r.ctx))
			r.event("hibernated", "user", "alice")
			if how == "silence" {
				r.f.answers(func(element) string { return "silence" })
			} else {
				r.f.disconnect()
			}
			n := 0
			r.waitFor("a publish by the server itself", func() bool {
				if n < 200 { // 50 ms apart, for mod_cloud_notify gathers for a second
					r.say(fmt.Sprintf("m%d", n))
					n++
				}
				return service.published() > 0
			})
			if how == "silence" {
				if n := r.f.published(); n != 0 {
					t.Errorf("%d publishes to rouse itself", n)
				}
				r.f.answers(nil)
			} else {
				r.f.connect()
			}
			marks := 0
			for _, e := range append(r.marker(), r.marker()...) {
				if _, ok := e.child("published"); ok || e.XMLName.Local == "published" {
					marks++
				}
			}
			if marks == 0 {
				t.Error("no event says that the server has published")
			}
			before, blocked := service.published(), r.blocked()
			r.say("back")
			r.event("queued", "user", "alice")
			r.waitFor("a publish is blocked", func() bool { return r.blocked() > blocked })
			if n := service.published(); n != before {
				t.Errorf("%d publishes after rouse is back", n-before)
			}
		})
	}
}

// blocked counts the publishes of mod_cloud_notify that the module did not let through to others.
func (r *rig) blocked() int {
	log, err := os.ReadFile(r.p.LogFile())
	r.check(err)
	return strings.Count(string(log), "Push was blocked by event handler")
}

// What was unread when the session fell asleep is published by the server alone, and told with its place in the queue.
func TestFallbackForTheQueue(t *testing.T) {
	r := newRig(t, withOthers, func(o *lab.Options) { o.HostLua = "rouse_fallback = 1\nrouse_answer_timeout = 1" })
	phone := r.login("alice/phone")
	service := r.service()
	r.enable(phone, others.JID, "n1")
	r.check(phone.Freeze(r.ctx))
	r.f.answers(func(element) string { return "silence" })
	r.say("one")
	_, err := service.awaitOther(r.ctx, func(e element) bool { return e.attr("type") == "set" }) // at the ack delay
	r.check(err)
	r.f.answers(nil)
	delayed := r.event("delayed", "user", "alice")
	published := r.event("published", "user", "alice")
	r.want(published, "sid", delayed.attr("sid"), "out", delayed.attr("out"), "service", others.JID, "node", "n1", "class", "message")
	r.want(published, "key", delayed.Children[0].attr("key"))
}

// An error in a callback is logged, and everything goes on.
func TestErrorsAreContained(t *testing.T) {
	r := newRig(t)
	_, err := r.p.Shell(r.ctx, `>return true, "blocked: "..tostring((prosody.hosts["`+r.p.Host()+`"].events.fire_event("cloud_notify/push", {})))`)
	r.check(err)
	r.waitFor("the error is in the log", func() bool { return strings.Contains(r.p.LogTail(100), "Error in cloud_notify/push") })
	r.say("one")
	r.event("archived", "user", "alice")
}
