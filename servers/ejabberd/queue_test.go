package ejabberd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// files lists the module's own files.
func (r *rig) files(pattern string) []string {
	files, err := filepath.Glob(filepath.Join(r.e.Spool(), "rouse", "*", pattern))
	r.Check(err)
	return files
}

// savedFiles are parts of a queue that are on disk, and none that is being written.
const savedFiles = "q.*[0-9]"

// saved tells whether the module has a part of its queue on disk.
func (r *rig) saved() bool { return len(r.files(savedFiles)) > 0 }

// keeps tells whether an event of that name is on disk: ejabberd tells of one
// stanza from several processes, so the first that is there says nothing of the others.
func (r *rig) keeps(name string) bool {
	for _, file := range r.files(savedFiles) {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken meanwhile
		}
		r.Check(err)
		if bytes.Contains(text, []byte(name)) {
			return true
		}
	}
	return false
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
	last := 0
	for range 3 {
		n := servertest.Number(t, r.Event("queued", "sid", sid).Attr("n"))
		if n <= last {
			t.Errorf("n is %d after %d", n, last)
		}
		last = n
	}
	t.Logf("rouse connected, the last waiting event here: %v", time.Since(began))
	r.Nothing("queued", "hibernated", "resumed")
	r.WaitFor("what was taken is not kept", func() bool { return !r.saved() })
}

// The batch that rouse did not take comes again under its number.
func TestRepeat(t *testing.T) {
	for _, how := range []string{"wait resource-constraint", "silence"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, module("answer_timeout: 1"))
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
			r.WaitFor("the batch was refused", func() bool { return strings.Contains(r.e.LogTail(100), "rouse refuses events") })
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
				r.WaitFor("the report is saved", func() bool { return r.keeps("queued") })
			}
			if how == "killed" {
				r.Check(r.e.Kill())
			} else {
				r.Check(r.e.Stop(r.Ctx))
			}
			r.F.Disconnect()
			r.Check(r.e.Start(r.Ctx))
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
	r.Check(r.e.Stop(r.Ctx))
	files := r.files("epoch")
	if len(files) != 1 {
		t.Fatalf("the epoch is stored in %q", files)
	}
	r.Check(os.WriteFile(files[0], []byte("9000000000000"), 0o600))
	r.F.Disconnect()
	r.Check(r.e.Start(r.Ctx))
	r.F.Connect()
	r.WaitFor("a batch of the new epoch", func() bool { return r.LastBatch().Attr("epoch") == "9000000000001" })
}

// What cannot be read is left out, and everything goes on.
func TestSpoiltFile(t *testing.T) {
	r := newRig(t)
	r.F.Disconnect()
	r.Say("one")
	r.WaitFor("the queue is saved", r.saved)
	r.Check(r.e.Kill())
	for _, file := range r.files(savedFiles) {
		r.Check(os.WriteFile(file, []byte("spoilt"), 0o600))
	}
	r.Check(r.e.Start(r.Ctx))
	r.Check(r.Bob.Forget(r.Ctx))
	_, err := r.Bob.Login(r.Ctx)
	r.Check(err)
	r.F.Connect()
	r.Event("bind", "user", "bob")
	r.Say("two")
	r.Event("archived", "user", "alice")
	if r.saved() {
		t.Error("the spoilt file is still there")
	}
}

func TestPictureInOrder(t *testing.T) {
	servertest.PictureInOrder(t, newRig(t, module("batch: 2")).Rig)
}

// A full queue drops reports of stanzas, not of sessions, and leaves a gap.
func TestOverflow(t *testing.T) {
	r := newRig(t, module("max_queue: 100\nbatch: 10"))
	r.F.Disconnect()
	r.Login("carol/phone")
	for i := range 120 { // two events each: archived and offline
		r.Say(fmt.Sprint(i))
	}
	// Ten go each time that there is no room: of 240, until no more than 100 are left.
	r.WaitFor("all is in the queue, or dropped", func() bool { return strings.Count(r.e.LogTail(300), "is full") >= 14 })
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

// An attribute of an absurd length is left out, and its neighbours come.
func TestLongValues(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	r.Check(phone.EnablePush(r.Ctx, lab.Registration{Service: servertest.Others.JID, Node: strings.Repeat("n", 5000)}))
	r.Check(phone.EnablePush(r.Ctx, lab.Registration{Service: servertest.Others.JID, Node: "short"}))
	r.Want(r.Event("enable"), "node", "short")
	// Expat looks at so long a tag again only when as much has come behind it (docs/decisions/0007).
	r.Send(lab.Chat(r.JID("carol"), strings.Repeat("i", 3000), "a message with a long id") + strings.Repeat(" ", 4000))
	offline := r.Event("offline", "user", "carol")
	if len(offline.Attr("key")) > 100 {
		t.Errorf("%v: a long key", offline)
	}
	r.Ask("<picture" + servertest.NS + "/>")
	r.Event("begin")
	r.Want(r.Event("endpoint"), "node", "short")
	r.Event("end")
}
