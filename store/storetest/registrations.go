package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

func device() session.Registration {
	return session.Registration{Node: "node 1", App: "chat-ios", Token: "t0k3n", Device: "d3v1c3", Domain: "example.org", Updated: noon,
		Family: session.Tigase, Account: "juliet@example.org", Channel: "r00m", Calls: "c4ll5"}
}

func stands(t *testing.T, s store.Store, want session.Registration) {
	t.Helper()
	if got, err := s.Registration(t.Context(), want.Node); err != nil || got != want {
		t.Errorf("registration %+v, %v, want %+v", got, err, want)
	}
}

func register(t *testing.T, s store.Store) {
	if _, err := s.Registration(t.Context(), "node 1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before: %v, want ErrNotFound", err)
	}
	for _, r := range []session.Registration{
		device(),
		{Node: "node 1", App: "chat-android", Token: "another", Domain: "example.com", Updated: noon.Add(1)},
		{Node: "node 1", App: "chat-android", Token: "another", Domain: "example.com", Updated: noon.Add(1), Dead: "fcm: UNREGISTERED", Died: noon.Add(2)},
		{Node: "node 1", App: "chat-android", Token: "third", Updated: noon.Add(3)},
	} {
		if err := s.Register(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		stands(t, s, r)
	}
	if err := s.Register(t.Context(), session.Registration{Token: "t"}); err == nil {
		t.Error("a registration without a node: taken")
	}
}

// registrations: more than a page of them, each once, dead or alive.
func registrations(t *testing.T, s store.Store) {
	want := make(map[string]session.Registration)
	for i := range 1100 {
		r := device()
		if r.Node = fmt.Sprintf("node %d", i); i%10 == 0 {
			r.Dead, r.Died = "apns: 410", noon
		}
		want[r.Node] = r
	}
	var all sync.WaitGroup
	for _, r := range want {
		all.Go(func() {
			if err := s.Register(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for r, err := range s.Registrations(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := want[r.Node]; !ok || w != r {
			t.Errorf("%+v, want %+v", r, w)
		}
		delete(want, r.Node)
	}
	if len(want) > 0 {
		t.Errorf("%d were not seen", len(want))
	}
	for range s.Registrations(t.Context()) {
		break // and nothing hangs
	}
}

func bury(t *testing.T, s store.Store) {
	if _, err := s.Bury(t.Context(), "node 1", "gone", noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
	r := device()
	do := func(reason string, at time.Time) {
		t.Helper()
		if got, err := s.Bury(t.Context(), r.Node, reason, at); err != nil || got != r {
			t.Errorf("Bury gives %+v, %v, want %+v", got, err, r)
		}
		stands(t, s, r)
	}
	if err := s.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	do("the provider speaks of an older token", noon.Add(-time.Second))
	r.Dead, r.Died = "apns: 410", noon
	do("apns: 410", noon)
	do("once more", noon.Add(time.Hour))
	r.Dead, r.Died, r.Token, r.Updated = "", time.Time{}, "new", noon.Add(time.Minute)
	if err := s.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	do("a late word about the old token", noon.Add(time.Second))
	if _, err := s.Bury(t.Context(), r.Node, "", noon.Add(time.Hour)); err == nil {
		t.Error("buried without a reason")
	}
	stands(t, s, r)
}

func unregister(t *testing.T, s store.Store) {
	if err := s.Unregister(t.Context(), "node 1", "asked", noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
	r := device()
	if err := s.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := s.Unregister(t.Context(), r.Node, "", noon); err == nil {
		t.Error("unregistered without a reason")
	}
	stands(t, s, r)
	if err := s.Unregister(t.Context(), r.Node, "the client asked", noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r = r.Tombstone()
	r.Dead, r.Died = "the client asked", noon.Add(time.Hour)
	stands(t, s, r)
	// A tombstone stays what it is.
	if got, err := s.Bury(t.Context(), r.Node, "apns: 410", noon.Add(2*time.Hour)); err != nil || got != r {
		t.Errorf("Bury of a tombstone: %+v, %v", got, err)
	}
	if err := s.Unregister(t.Context(), r.Node, "again", noon.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	other := device()
	other.Node, other.Updated = "node 2", r.Died.Add(store.TombstoneAge-time.Second)
	if err := s.Register(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	stands(t, s, r)
	// Until somebody registers under it.
	r = device()
	r.Updated = other.Updated
	if err := s.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	stands(t, s, r)
	// The dead leave their stone too.
	if _, err := s.Bury(t.Context(), r.Node, "apns: 410", r.Updated.Add(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Unregister(t.Context(), r.Node, "the client asked", r.Updated.Add(2)); err != nil {
		t.Fatal(err)
	}
	r = r.Tombstone()
	r.Dead, r.Died = "the client asked", r.Updated.Add(2)
	stands(t, s, r)
}

func reporters(t *testing.T, s store.Store) {
	last := store.Reporter{Host: "example.org"}
	for _, want := range []store.Reporter{last, {Host: "example.org", Epoch: 1<<63 + 1, Seq: 2, Wanted: true, Picture: 2}, {Host: "example.org", Epoch: 3}} {
		if want != last {
			if err := s.SetReporter(t.Context(), last, want); err != nil {
				t.Fatal(err)
			}
			// Who does not know how it stands changes nothing.
			if err := s.SetReporter(t.Context(), last, store.Reporter{Host: "example.org", Epoch: 9}); !errors.Is(err, store.ErrConflict) {
				t.Errorf("from %+v, which is past: %v, want ErrConflict", last, err)
			}
		}
		if got, err := s.Reporter(t.Context(), "example.org"); err != nil || got != want {
			t.Errorf("reporter %+v, %v, want %+v", got, err, want)
		}
		last = want
	}
	// A node of a cluster has a row of its own.
	node := session.Reporter("example.org", "ejabberd@a")
	if err := s.SetReporter(t.Context(), store.Reporter{Host: node}, store.Reporter{Host: node, Epoch: 5, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Reporter(t.Context(), node); err != nil || got.Epoch != 5 {
		t.Errorf("Reporter of a node: %+v, %v", got, err)
	}
	if got, err := s.Reporter(t.Context(), "example.org"); err != nil || got != last {
		t.Errorf("Reporter beside a node: %+v, %v; want %+v", got, err, last)
	}
	// Of one that is gone nothing stays.
	if err := s.SetReporter(t.Context(), store.Reporter{Host: node, Epoch: 5, Seq: 1}, store.Reporter{Host: node}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Reporter(t.Context(), node); err != nil || got != (store.Reporter{Host: node}) {
		t.Errorf("Reporter of a node that is gone: %+v, %v", got, err)
	}
	if got := everyItem(t, s); len(got) != 1 {
		t.Errorf("left: %+v", got)
	}
	if got, err := s.Reporter(t.Context(), "other.example"); err != nil || got != (store.Reporter{Host: "other.example"}) {
		t.Errorf("another host: %+v, %v", got, err)
	}
	if err := s.SetReporter(t.Context(), last, store.Reporter{Host: "other.example"}); err == nil {
		t.Error("a reporter of one host in the place of another's: taken")
	}
}

func keep(t *testing.T, s store.Store) {
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = s.Keep(t.Context(), "node key", fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range got {
		if got[i] != got[0] || got[i] == "" {
			t.Errorf("caller %d got %q, the first %q", i, got[i], got[0])
		}
	}
	if v, err := s.Keep(t.Context(), "another", "x"); err != nil || v != "x" {
		t.Errorf("another name: %q, %v", v, err)
	}
	// An empty value looks, and keeps nothing.
	for _, c := range []struct{ value, want string }{{"", ""}, {"y", "y"}, {"", "y"}, {"z", "y"}} {
		if v, err := s.Keep(t.Context(), "a third", c.value); err != nil || v != c.want {
			t.Errorf("a third name, %q: %q, %v", c.value, v, err)
		}
	}
}

// reopened wants everything that was answered to be there.
func reopened(t *testing.T, s store.Store, reopen func(*testing.T, store.Store) store.Store) {
	r := device()
	if err := errors.Join(s.Register(t.Context(), r), s.SetReporter(t.Context(), store.Reporter{Host: "example.org"}, store.Reporter{Host: "example.org", Epoch: 4, Seq: 2, Wanted: true, Picture: 2})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keep(t.Context(), "name", "first"); err != nil {
		t.Fatal(err)
	}
	a := full()
	v := commit(t, s, store.Commit{Key: juliet, Account: a, Put: wakes{key("n1", session.Call): at(0), key("n1", session.Group): at(1)}, Reasons: []session.Reason{{At: noon, Why: "x"}}})
	commit(t, s, store.Commit{Key: juliet, Version: v, Account: a, Drop: []session.WakeKey{key("n1", session.Group)}})
	claim(t, s, noon, time.Minute, 1)
	gone := commit(t, s, store.Commit{Key: romeo, Account: a})
	commit(t, s, store.Commit{Key: romeo, Version: gone, Forget: true})
	before := load(t, s, juliet)
	counts, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = reopen(t, s)
	}
	after := load(t, s, juliet)
	same(t, after.Account, before.Account)
	if after.Version != before.Version || after.Account.Pending[key("n1", session.Call)].Lease != noon.Add(time.Minute) {
		t.Errorf("owner %+v, want %+v", after, before)
	}
	if got, err := s.Counts(t.Context()); err != nil || fmt.Sprint(got) != fmt.Sprint(counts) {
		t.Errorf("counts %+v, %v, want %+v", got, err, counts)
	}
	if got := record(t, s, juliet, time.Time{}); len(got) != 1 || got[0].Why != "x" {
		t.Errorf("reasons %+v", got)
	}
	stands(t, s, r)
	if got, err := s.Reporter(t.Context(), "example.org"); err != nil || got.Epoch != 4 || got.Seq != 2 || !got.Wanted || got.Picture != 2 {
		t.Errorf("reporter %+v, %v", got, err)
	}
	if v, err := s.Keep(t.Context(), "name", "second"); err != nil || v != "first" {
		t.Errorf("kept %q, %v", v, err)
	}
	if again := commit(t, s, store.Commit{Key: romeo, Account: a}); again == gone {
		t.Errorf("version %d was given again after reopening", again)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
