package storetest

import (
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

func endLeases(t *testing.T, s store.Store) {
	w := at(-5)
	w.Count = 2
	commit(t, s, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): w, key("n1", session.Group): at(60)}})
	commit(t, s, store.Commit{Key: romeo, Put: wakes{key("n2", session.Call): at(60)}})
	claim(t, s, noon, time.Hour, 1)
	before, other := load(t, s, juliet), load(t, s, romeo)
	if err := s.EndLeases(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	o := load(t, s, juliet)
	w.Due = w.Since
	if got := o.Account.Pending[key("n1", session.Call)]; got != w || o.Version == before.Version {
		t.Errorf("its lease ended: %+v of version %d, want %+v", got, o.Version, w)
	}
	if got := o.Account.Pending[key("n1", session.Group)]; got != at(60) {
		t.Errorf("nobody had claimed it: %+v", got)
	}
	if now := load(t, s, romeo); now.Version != other.Version {
		t.Error("an owner without claimed wakes has another version")
	}
	if got := claim(t, s, noon, time.Hour, 9); len(got) != 1 || got[0].Key.Class != session.Call || got[0].Wake.Sent != 2 {
		t.Errorf("claimed again: %+v", got)
	}
}

// processes are what a process alone sees; RunShared has the rest.
func processes(t *testing.T, s store.Store) {
	p := store.Process{ID: "p1", Machine: "m", PID: 7, Version: "1", Started: noon, Link: "up", Stopped: map[string]string{"chat-ios": "apns: 403"}}
	for range 2 {
		if gone, err := s.Announce(t.Context(), p, time.Minute); err != nil || len(gone) != 0 {
			t.Fatalf("Announce: %v, %v", gone, err)
		}
	}
	list, err := s.Processes(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "p1" || list[0].Stopped["chat-ios"] != "apns: 403" || !list[0].Started.Equal(noon) {
		t.Errorf("processes %+v, %v", list, err)
	}
	l, err := s.Hold(t.Context(), "link", "p1", time.Minute)
	if err != nil || l.Holder != "p1" || l.Left <= 0 || l.Left > time.Minute {
		t.Errorf("lease %+v, %v", l, err)
	}
	again, err := s.Hold(t.Context(), "link", "p1", time.Minute)
	if err != nil || again.Holder != "p1" || again.Fence != l.Fence {
		t.Errorf("renewed %+v, %v, was %+v", again, err, l)
	}
	if err := s.Depart(t.Context(), "p1"); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Processes(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after it departed: %+v, %v", list, err)
	}
}
