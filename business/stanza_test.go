package business

import (
	"strings"
	"testing"
	"time"

	"rouse/session"
)

// TestReasonsSayWhichStanza: whoever knows a stanza's id finds what was decided about
// it, by the archive's id or its sender's; who sent it is not on record.
func TestReasonsSayWhichStanza(t *testing.T) {
	const id = "romeo@example.net/o chat m1"
	tag := session.Tag("m1")
	a := session.Account{}.Clone()
	phone := session.Address{Service: "push.example.org", Node: "phone"}
	for i, step := range []struct {
		e      session.Event
		stanza string
	}{
		{session.Event{Kind: session.Enable, Session: "s", Address: phone}, ""},
		{session.Event{Kind: session.Archive, Class: session.Message, Key: "s:4q8f", Tag: tag}, "4q8f"},
		{session.Event{Kind: session.Hibernate, Session: "s", Out: 2, Unread: []session.Unread{
			{Class: session.Group, Last: 1, Key: "s:9", Tag: session.Tag("other")}, {Class: session.Message, Last: 2, Key: "s:4q8f", Tag: tag}}}, "4q8f"},
		{session.Event{Kind: session.Queue, Session: "s", Out: 2, Class: session.Message, Key: "i:" + id, Tag: tag}, ""}, // covered
		{session.Event{Kind: session.Queue, Session: "s", Out: 3, Class: session.Message, Key: "i:" + id, Tag: tag}, ""},
		{session.Event{Kind: session.Resume, Session: "s", Acked: 3}, ""},
	} {
		e := step.e
		e.Epoch, e.N = 1, uint64(i+1)
		var reasons []session.Reason
		a, reasons = Decide(a, e, DefaultPolicy(), time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
		about := 0
		for _, r := range reasons {
			if strings.Contains(r.Stanza+r.Tag+r.Why, "romeo") {
				t.Errorf("%s: the record says who sent it: %+v", e.Kind, r)
			}
			if r.Stanza != step.stanza {
				t.Errorf("%s: it is about stanza %q, want %q", e.Kind, r.Stanza, step.stanza)
			}
			if r.About("m1") && r.About(tag) && (step.stanza == "" || r.About(step.stanza)) {
				about++
			}
			if r.About("") || r.About("m2") {
				t.Errorf("%s: %+v is about any stanza", e.Kind, r)
			}
		}
		if want := e.Tag != "" || len(e.Unread) > 0; want != (about > 0) {
			t.Errorf("%s: %d of its reasons are found by the stanza's id, want some: %v", e.Kind, about, want)
		}
	}
}

// TestCoveredIsSaidOfEachDevice: of each device of a session it is said why it is not
// woken once more.
func TestCoveredIsSaidOfEachDevice(t *testing.T) {
	a := session.Account{}.Clone()
	var last []session.Reason
	for i, e := range []session.Event{
		{Kind: session.Enable, Session: "s", Address: session.Address{Service: "push.example.org", Node: "one"}},
		{Kind: session.Enable, Session: "s", Address: session.Address{Service: "push.example.org", Node: "two"}},
		{Kind: session.Queue, Session: "s", Out: 3, Class: session.Message, Key: "s:1"},
		{Kind: session.Queue, Session: "s", Out: 2, Class: session.Message, Key: "s:2"},
	} {
		e.Epoch, e.N = 1, uint64(i+1)
		a, last = Decide(a, e, DefaultPolicy(), time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
	}
	if len(last) != 2 || last[0].Verdict != session.Covered || last[0].Endpoint.Node != "one" || last[1].Endpoint.Node != "two" {
		t.Errorf("%+v", last)
	}
}
