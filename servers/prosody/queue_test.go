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
	"rouse/servers/servertest"
)

// saved tells whether the module has a chunk of its queue on disk.
func (r *rig) saved() bool {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.p.LogFile()), "data", "*", "rouse", "q%40*.dat"))
	r.Check(err)
	return len(files) > 0
}

// While rouse is away everything waits, in order, and nothing comes twice.
func TestRouseAway(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	sid := r.Event("bind", "user", "alice").Attr("sid")
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "sid", sid)
	r.F.Disconnect()
	for i := range 3 {
		r.Say(strconv.Itoa(i))
	}
	r.WaitFor("the queue is saved", r.saved)
	began := time.Now()
	r.Reconnect()
	n := r.Event("queued", "sid", sid).Attr("n")
	t.Logf("rouse connected, the first waiting event here: %v", time.Since(began))
	r.Want(r.Event("queued", "sid", sid), "n", servertest.Plus(n, 1))
	r.Want(r.Event("queued", "sid", sid), "n", servertest.Plus(n, 2))
	r.Nothing("queued", "hibernated", "resumed")
	r.WaitFor("what was taken is not kept", func() bool { return !r.saved() })
}

// The batch that rouse did not take comes again under its number.
func TestRepeat(t *testing.T) {
	for _, how := range []string{"wait resource-constraint", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, func(o *lab.Options) { o.HostLua = "rouse_answer_timeout = 1" })
			r.F.Answers(func(servertest.Element) string { return how })
			r.Say("one")
			r.WaitFor("a repeated batch", func() bool {
				all := r.F.Batches()
				n := len(all)
				return n > 1 && len(all[n-1].Children) > 0 && all[n-1].Attr("seq") == all[n-2].Attr("seq")
			})
			seq := r.LastBatch().Attr("seq")
			r.F.Answers(nil)
			r.Event("archived", "user", "alice")
			for _, b := range r.F.Batches() {
				if _, in := b.Child("archived"); in && b.Attr("seq") != seq {
					t.Errorf("the batch came again as %s, was %s", b.Attr("seq"), seq)
				}
			}
			r.Nothing("archived")
		})
	}
}

// What rouse will never take is dropped, and the next batch goes on.
func TestRefused(t *testing.T) {
	for _, how := range []string{"auth forbidden", "modify bad-request"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.F.Answers(func(servertest.Element) string { return how })
			r.Say("one")
			r.WaitFor("the batch was refused", func() bool { return strings.Contains(r.p.LogTail(100), "rouse refuses events") })
			r.F.Answers(nil)
			r.Send(lab.Chat(r.JID("carol"), "two", "two"))
			r.Event("archived", "user", "carol")
		})
	}
}

// A restart of the server loses nothing, whether rouse is there or not.
func TestRestart(t *testing.T) {
	for _, how := range []string{"rouse up", "rouse down", "killed"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			phone := r.Login("alice/phone")
			sid := r.Event("bind", "user", "alice").Attr("sid")
			before := r.LastBatch().Attr("epoch")
			r.Check(phone.Drop(r.Ctx))
			r.Event("hibernated", "sid", sid)
			if how != "rouse up" {
				r.F.Disconnect()
			}
			r.Say("one")
			if how == "rouse up" {
				r.Event("queued", "sid", sid)
			} else {
				r.WaitFor("the queue is saved", r.saved)
			}
			if how == "killed" {
				r.Check(r.p.Kill())
			} else {
				r.Check(r.p.Stop(r.Ctx))
			}
			r.F.Disconnect()
			r.Check(r.p.Start(r.Ctx))
			r.Check(r.Bob.Forget(r.Ctx))
			_, err := r.Bob.Login(r.Ctx)
			r.Check(err)
			r.F.Connect()
			if how != "rouse up" {
				r.Want(r.Event("queued", "sid", sid), "epoch", before, "class", "message")
			}
			if how == "rouse down" {
				r.Event("ended", "sid", sid, "epoch", before)
			}
			r.Want(r.Event("bind", "user", "bob"), "epoch", "")
			after := r.LastBatch()
			if x, y := servertest.Number(t, before), servertest.Number(t, after.Attr("epoch")); y <= x {
				t.Errorf("epoch %d after %d", y, x)
			}
			r.WaitFor("what was taken is not kept", func() bool { return !r.saved() })
		})
	}
}

// The epoch grows although the clock went back.
func TestEpoch(t *testing.T) {
	r := newRig(t)
	r.Check(r.p.Stop(r.Ctx))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.p.LogFile()), "data", "*", "rouse", "%40.dat"))
	r.Check(err)
	if len(files) != 1 {
		t.Fatalf("the epoch is stored in %q", files)
	}
	r.Check(os.WriteFile(files[0], []byte(`return { epoch = "9000000000000" };`), 0o600))
	r.F.Disconnect()
	r.Check(r.p.Start(r.Ctx))
	r.F.Connect()
	r.WaitFor("a batch of the new epoch", func() bool { return r.LastBatch().Attr("epoch") == "9000000000001" })
}

func TestPictureInOrder(t *testing.T) {
	servertest.PictureInOrder(t, newRig(t, func(o *lab.Options) { o.HostLua = "rouse_batch = 2" }).Rig)
}

// A full queue drops reports of stanzas, not of sessions, and leaves a gap.
func TestOverflow(t *testing.T) {
	r := newRig(t, func(o *lab.Options) { o.HostLua = "rouse_max_queue = 100\nrouse_batch = 10" })
	r.F.Disconnect()
	r.Login("carol/phone")
	for i := range 120 { // two events each: archived and offline
		r.Say(fmt.Sprint(i))
	}
	r.WaitFor("the queue overflows", func() bool { return strings.Contains(r.p.LogTail(300), "is full") })
	r.Reconnect()
	r.Event("bind", "user", "carol")
	r.Event("archived", "user", "alice")
	stanzas := 0
	for _, e := range r.Marker() {
		if e.XMLName.Local == "archived" || e.XMLName.Local == "offline" {
			stanzas++
		}
	}
	if stanzas == 0 || stanzas > 100 {
		t.Errorf("%d reports of stanzas came out of a queue of 100", stanzas)
	}
	gaps, last := 0, 0
	for _, b := range r.F.Batches() {
		seq := servertest.Number(t, b.Attr("seq"))
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
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, servertest.Others.JID, "n1")
	tablet := r.Login("alice/tablet")
	r.Check(tablet.Freeze(r.Ctx))
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Say("one")
	r.Event("queued", "user", "alice")
	r.Event("delayed", "user", "alice")
	// mod_cloud_notify gathers for a second before it publishes; the delay took two.
	if n := service.Published(); n != 0 {
		t.Fatalf("%d publishes although rouse takes events", n)
	}
	r.Check(r.p.Unload(r.Ctx, "rouse"))
	out, err := r.p.Shell(r.Ctx, `>local n = 0; for _, s in pairs(prosody.full_sessions) do for _, list in pairs(s.filters or {}) do for i = 1, #list do if debug.getinfo(list[i]).source:find("rouse") then n = n + 1 end end end end return true, "filters: "..n`)
	r.Check(err)
	if !strings.Contains(out, "filters: 0") {
		t.Errorf("filters are left behind: %s", out)
	}
	r.Say("two")
	_, err = service.AwaitOther(r.Ctx, func(e servertest.Element) bool { return e.Attr("type") == "set" })
	r.Check(err)

	r.Check(r.p.Load(r.Ctx, "rouse"))
	r.Say("three")
	var came []string
	for _, e := range r.Marker() {
		came = append(came, e.XMLName.Local)
	}
	for _, want := range []string{"queued", "late"} { // the tablet is known to be late
		if !slices.Contains(came, want) {
			t.Errorf("no %s after the module was loaded, but %q", want, came)
		}
	}
	if n := service.Published(); n != 1 {
		t.Errorf("%d publishes, want the one made without the module", n)
	}
	r.Ask("<picture" + servertest.NS + "/>")
	r.Want(r.Event("endpoint"), "user", "alice", "node", "n1")
}

func TestReload(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	before := r.LastBatch().Attr("epoch")
	r.F.Answers(func(servertest.Element) string { return "wait resource-constraint" })
	r.Say("one")
	r.WaitFor("the batch came", func() bool { return len(r.LastBatch().Children) > 0 })
	r.Check(r.p.Reload(r.Ctx, "rouse"))
	r.F.Answers(nil)
	r.Want(r.Event("queued"), "sid", sid, "epoch", before)
	r.Say("two")
	r.Want(r.Event("queued"), "sid", sid, "epoch", "", "n", "1")
}

// While rouse takes nothing for long enough the server pushes by itself, but not to rouse, and says so afterwards.
func TestFallback(t *testing.T) {
	for _, how := range []string{"no link", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, withOthers, func(o *lab.Options) { o.HostLua = "rouse_fallback = 1\nrouse_answer_timeout = 1" })
			phone, tablet := r.Login("alice/phone"), r.Login("alice/tablet")
			service := r.Service()
			r.Enable(phone, servertest.Others.JID, "n1")
			r.Enable(tablet, r.p.Rouse().JID, "n2")
			r.Check(phone.Drop(r.Ctx))
			r.Event("hibernated", "user", "alice")
			r.Check(tablet.Drop(r.Ctx))
			r.Event("hibernated", "user", "alice")
			if how == "silence" {
				r.F.Answers(func(servertest.Element) string { return "silence" })
			} else {
				r.F.Disconnect()
			}
			n := 0
			r.WaitFor("a publish by the server itself", func() bool {
				if n < 200 { // 50 ms apart, for mod_cloud_notify gathers for a second
					r.Say(fmt.Sprintf("m%d", n))
					n++
				}
				return service.Published() > 0
			})
			if how == "silence" {
				if n := r.F.Published(); n != 0 {
					t.Errorf("%d publishes to rouse itself", n)
				}
				r.F.Answers(nil)
			} else {
				r.F.Connect()
			}
			marks := 0
			for _, e := range append(r.Marker(), r.Marker()...) {
				if _, ok := e.Child("published"); ok || e.XMLName.Local == "published" {
					marks++
				}
			}
			if marks == 0 {
				t.Error("no event says that the server has published")
			}
			before, blocked := service.Published(), r.blocked()
			r.Say("back")
			r.Event("queued", "user", "alice")
			r.WaitFor("a publish is blocked", func() bool { return r.blocked() > blocked })
			if n := service.Published(); n != before {
				t.Errorf("%d publishes after rouse is back", n-before)
			}
		})
	}
}

// blocked counts the publishes of mod_cloud_notify that the module did not let through to others.
func (r *rig) blocked() int {
	log, err := os.ReadFile(r.p.LogFile())
	r.Check(err)
	return strings.Count(string(log), "Push was blocked by event handler")
}

// What was unread when the session fell asleep is published by the server alone, and told with its place in the queue.
func TestFallbackForTheQueue(t *testing.T) {
	r := newRig(t, withOthers, func(o *lab.Options) { o.HostLua = "rouse_fallback = 1\nrouse_answer_timeout = 1" })
	phone := r.Login("alice/phone")
	service := r.Service()
	r.Enable(phone, servertest.Others.JID, "n1")
	r.Check(phone.Freeze(r.Ctx))
	r.F.Answers(func(servertest.Element) string { return "silence" })
	r.Say("one")
	_, err := service.AwaitOther(r.Ctx, func(e servertest.Element) bool { return e.Attr("type") == "set" }) // at the ack delay
	r.Check(err)
	r.F.Answers(nil)
	delayed := r.Event("delayed", "user", "alice")
	published := r.Event("published", "user", "alice")
	r.Want(published, "sid", delayed.Attr("sid"), "out", delayed.Attr("out"), "service", servertest.Others.JID, "node", "n1", "class", "message")
	r.Want(published, "key", delayed.Children[0].Attr("key"))
}

// An error in a callback is logged, and everything goes on.
func TestErrorsAreContained(t *testing.T) {
	r := newRig(t)
	_, err := r.p.Shell(r.Ctx, `>return true, "blocked: "..tostring((prosody.hosts["`+r.p.Host()+`"].events.fire_event("cloud_notify/push", {})))`)
	r.Check(err)
	r.WaitFor("the error is in the log", func() bool { return strings.Contains(r.p.LogTail(100), "Error in cloud_notify/push") })
	r.Say("one")
	r.Event("archived", "user", "alice")
}
