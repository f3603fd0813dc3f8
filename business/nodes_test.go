package business

import (
	"fmt"
	"testing"
	"time"

	"rouse/session"
)

// on is an event of a node; a has epoch 9 and b, which started earlier, 1.
func on(node string, n uint64, e session.Event) session.Event {
	e.Node, e.N, e.Epoch = node, n, 9
	if node == "b" {
		e.Epoch = 1
	}
	e.Told = session.Mark{Node: node, Epoch: e.Epoch, Seq: n}
	return e
}

func TestNodesCountForThemselves(t *testing.T) {
	archived := session.Event{Kind: session.Archive, Class: session.Message}
	queued := session.Event{Kind: session.Queue, Session: "s", Class: session.Message}
	row := session.Event{Kind: session.PictureRow, Session: "s", State: session.Hibernated}
	for _, c := range []struct {
		name        string
		first, then session.Event
		repeat      bool
	}{
		{"a node that started earlier", on("a", 5, archived), on("b", 1, archived), false},
		{"one that started later", on("b", 5, archived), on("a", 1, archived), false},
		{"the same event again", on("b", 5, archived), on("b", 5, archived), true},
		{"an older one of the same node", on("b", 5, archived), on("b", 4, archived), true},
		{"a server without nodes", on("", 5, archived), on("b", 1, archived), false},
		{"a session's event again", on("b", 5, queued), on("b", 5, queued), true},
		{"a session that another node has now", on("a", 5, queued), on("b", 1, queued), false},
		{"a session from before nodes were told", on("", 5, queued), on("a", 4, queued), true},
		{"an older row of the picture", on("b", 5, queued), on("b", 4, row), true},
	} {
		a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
		a.Endpoints[addr("phone")] = session.Endpoint{}
		a, _ = Decide(a, c.first, DefaultPolicy(), now)
		if _, reasons := Decide(a, c.then, DefaultPolicy(), now.Add(time.Minute)); (len(reasons) == 0) != c.repeat {
			t.Errorf("%s: repeat %v, want %v", c.name, len(reasons) == 0, c.repeat)
		}
	}
}

// Between the events of two nodes, repeats of both stay known.
func TestRepeatsAcrossNodes(t *testing.T) {
	a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
	a.Endpoints[addr("phone")] = session.Endpoint{}
	events := []session.Event{on("a", 1, session.Event{Kind: session.Archive, Class: session.Message}), on("b", 1, session.Event{Kind: session.Archive, Class: session.Message})}
	for round, want := range []bool{true, false} {
		for i, e := range events {
			var reasons []session.Reason
			if a, reasons = Decide(a, e, DefaultPolicy(), now); (len(reasons) > 0) != want {
				t.Errorf("round %d, event %d: %+v", round, i, reasons)
			}
		}
	}
}

// A session is compared with the start of its own node only: of one on another
// node we know as much as before.
func TestArchivedOnAnotherNode(t *testing.T) {
	for node, woken := range map[string]bool{"a": false, "b": true} {
		a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
		a.Sessions["s"] = session.Session{Told: session.Mark{Node: "b"}, Epoch: 1, Counter: 5}
		a.Endpoints[addr("phone")] = session.Endpoint{Owner: "s"}
		e := session.Event{Kind: session.Archive, Class: session.Message, Node: node, Epoch: 9, N: 1}
		if a, _ = Decide(a, e, DefaultPolicy(), now); (len(a.Pending) > 0) != woken {
			t.Errorf("archived by %s under a new epoch: owed %v", node, a.Pending)
		}
	}
}

func TestProgressIsBounded(t *testing.T) {
	a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
	for i := range 3 * MaxNodes {
		a, _ = Decide(a, on(fmt.Sprint("n", i), 1, session.Event{Kind: session.Archive, Class: session.Message}), DefaultPolicy(), now)
	}
	if n := len(a.Progress); n != MaxNodes || a.Progress[n-1].Node != fmt.Sprint("n", 3*MaxNodes-1) {
		t.Errorf("%d nodes, the last %+v", n, a.Progress[n-1])
	}
}

func TestLeaveEndsTheSessionsOfANode(t *testing.T) {
	a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
	onA, onB := session.Mark{Node: "a", Epoch: 9, Seq: 1}, session.Mark{Node: "b", Epoch: 1, Seq: 1}
	a.Sessions["on a"], a.Sessions["on b"], a.Sessions["alone"] = session.Session{Told: onA}, session.Session{Told: onB}, session.Session{}
	a.Endpoints[addr("phone")] = session.Endpoint{Owner: "on b", Told: onB}
	a.Endpoints[addr("tablet")] = session.Endpoint{Told: onA}
	a.Progress = []session.Progress{{Node: "b", Epoch: 1, Counter: 1}}
	told := session.Mark{Node: "a", Epoch: 9, Seq: 2}
	left, reasons := Leave(a, "b", told, DefaultPolicy(), now)
	if _, there := left.Sessions["on b"]; there || len(left.Sessions) != 2 || len(reasons) == 0 {
		t.Errorf("left: %+v, %v", left.Sessions, reasons)
	}
	if ep, there := left.Endpoints[addr("phone")]; !there || ep.Owner != "" || ep.Told != told {
		t.Errorf("the registration: %+v; it is common to all nodes, nobody has it now, and a is to show it", ep)
	}
	if ep := left.Endpoints[addr("tablet")]; ep.Told != onA {
		t.Errorf("of the tablet a told: %+v", ep)
	}
	if len(left.Progress) != 1 {
		t.Errorf("progress %+v: a repeat of what the node has reported would be decided again", left.Progress)
	}
	if _, reasons := Leave(left, "b", told, DefaultPolicy(), now); len(reasons) != 0 {
		t.Errorf("told twice: %+v", reasons)
	}
}

// Batches of two nodes have no order, whichever started first: the end of a node's
// picture ends what that node told before the beginning.
func TestSweepEndsWhatItsNodeTold(t *testing.T) {
	for _, c := range []struct {
		name        string
		told, began session.Mark
		ended       bool
	}{
		{"before the picture", session.Mark{Node: "a", Epoch: 9, Seq: 4}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, true},
		{"before the node started again", session.Mark{Node: "a", Epoch: 8, Seq: 40}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, true},
		{"within the picture", session.Mark{Node: "a", Epoch: 9, Seq: 5}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, false},
		{"by a node that started earlier", session.Mark{Node: "b", Epoch: 1, Seq: 1}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, false},
		{"by a node that started later", session.Mark{Node: "a", Epoch: 9, Seq: 1}, session.Mark{Node: "b", Epoch: 1, Seq: 5}, false},
		{"before nodes were told", session.Mark{Epoch: 8, Seq: 40}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, true},
		{"by nobody", session.Mark{}, session.Mark{Node: "a", Epoch: 9, Seq: 5}, true},
		{"by a node of a server that has none now", session.Mark{Node: "a", Epoch: 9, Seq: 4}, session.Mark{Epoch: 10, Seq: 2}, true},
	} {
		a := session.Account{}.Clone()
		a.Sessions["s"] = session.Session{Told: c.told}
		a.Endpoints[addr("phone")] = session.Endpoint{Told: c.told}
		swept, reasons := Sweep(a, c.began, DefaultPolicy(), time.Unix(1_700_000_000, 0))
		if ended := len(swept.Sessions) == 0; ended != c.ended {
			t.Errorf("told %s: session ended %v", c.name, ended)
		}
		if ended := len(swept.Endpoints) == 0; ended != c.ended || ended != (len(reasons) > 0) {
			t.Errorf("told %s: endpoint ended %v, %+v", c.name, ended, reasons)
		}
	}
}
