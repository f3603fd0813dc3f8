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
		a.Sessions["s"] = session.Session{Node: "b", Epoch: 1, Counter: 5}
		a.Endpoints[addr("phone")] = session.Endpoint{Owner: "s"}
		e := session.Event{Kind: session.Archive, Class: session.Message, Node: node, Epoch: 9, N: 1}
		if a, _ = Decide(a, e, DefaultPolicy(), now); (len(a.Pending) > 0) != woken {
			t.Errorf("archived by %s under a new epoch: owed %v", node, a.Pending)
		}
	}
}

func TestMarksAreBounded(t *testing.T) {
	a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
	for i := range 3 * MaxNodes {
		a, _ = Decide(a, on(fmt.Sprint("n", i), 1, session.Event{Kind: session.Archive, Class: session.Message}), DefaultPolicy(), now)
	}
	if n := len(a.Marks); n != MaxNodes || a.Marks[n-1].Node != fmt.Sprint("n", 3*MaxNodes-1) {
		t.Errorf("%d marks, the last %+v", n, a.Marks[n-1])
	}
}

func TestLeaveEndsTheSessionsOfANode(t *testing.T) {
	a, now := session.Account{}.Clone(), time.Unix(1_700_000_000, 0)
	a.Sessions["on a"], a.Sessions["on b"], a.Sessions["alone"] = session.Session{Node: "a"}, session.Session{Node: "b"}, session.Session{}
	a.Endpoints[addr("phone")] = session.Endpoint{Owner: "on b"}
	a.Marks = []session.Mark{{Node: "b", Epoch: 1, Counter: 1}}
	left, reasons := Leave(a, "b", now)
	if _, there := left.Sessions["on b"]; there || len(left.Sessions) != 2 || len(reasons) == 0 {
		t.Errorf("left: %+v, %v", left.Sessions, reasons)
	}
	if ep, there := left.Endpoints[addr("phone")]; !there || ep.Owner != "" {
		t.Errorf("the registration: %+v; it is common to all nodes and nobody has it now", ep)
	}
	if len(left.Marks) != 1 {
		t.Errorf("marks %+v: a repeat of what the node has reported would be decided again", left.Marks)
	}
	if _, reasons := Leave(left, "b", now); len(reasons) != 0 {
		t.Errorf("told twice: %+v", reasons)
	}
}
