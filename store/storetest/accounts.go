package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// full is an account with something in every field (TestFull).
func full() session.Account {
	phone := session.Address{Service: "push.example.org", Node: "n1"}
	nodeless := session.Address{Service: "push.other.example"}
	filter := &session.Filter{Muted: []string{"0123456789ab"}, Rooms: map[string]session.Allow{"ba9876543210": session.Never}, Groups: session.Mentioned, Known: true,
		Quiet: session.Hours{From: 1320, To: 420, Zone: "Europe/Berlin"}, Until: noon.Add(9), Calls: true, Grace: -1, Priority: true}
	return session.Account{
		Filter: filter,
		Epoch:  1<<63 + 7, Counter: 3, Serial: 9,
		Devices: []session.Device{{Node: "n1", Since: noon, At: noon.Add(2)}, {Node: "n2", Since: noon.Add(1)}},
		Sessions: map[string]session.Session{
			"a": {Resource: "phone ☎ \"x\"", Client: "c", State: session.Hibernated, Epoch: 4, Counter: 5, Out: 6, Acked: 7, Covered: [session.NumClasses]uint64{session.Call: 3}, Told: session.Mark{Epoch: 4, Seq: 8}},
			"b": {State: session.Active, Epoch: 4, Counter: 1, Told: session.Mark{Node: "ejabberd@b", Epoch: 4, Seq: 2}},
		},
		Endpoints: map[session.Address]session.Endpoint{
			phone: {Owner: "a", Resource: "phone", Client: "c", Secret: session.Fingerprint("s"), Enabled: noon, Told: session.Mark{Epoch: 4, Seq: 9}, Woken: noon.Add(2), WokenAs: session.Call, Before: noon.Add(5), Behind: session.Group, Held: session.Held{Wake: 8, Else: noon.Add(6)},
				Calls: []time.Time{noon, noon.Add(3)}, Silents: []time.Time{noon.Add(4)},
				Expected: session.Expected{Since: noon.Add(7), At: noon.Add(8), Class: session.Mention, Count: 3, Again: 2, Wake: 10, Missing: true}, Filter: filter},
			nodeless: {Enabled: noon, Told: session.Mark{Node: "ejabberd@a", Epoch: 1<<63 + 9, Seq: 1}, Dead: "apns: 410"},
		},
		Progress: []session.Progress{{Node: "ejabberd@b", Epoch: 1<<63 + 9, Counter: 4}, {Node: "ejabberd@a", Epoch: 2}},
		Ended:    []session.Ending{{Session: "s0", Epoch: 7, Counter: 2, At: noon}},
		Seen:     []session.Sighting{{Key: "k", At: noon, Woken: []session.Address{phone, nodeless}}, {Key: "l", At: noon}},
		Waits: []session.Wait{{Endpoint: phone, Chat: "0123456789ab", Class: session.Group, Count: 2, Stanza: "4q8f", Tag: "ba9876543210", Wake: 9, At: noon, Lease: noon.Add(7), Read: true},
			{Endpoint: nodeless, Chat: "c", Class: session.Call, Count: 1, At: noon}},
	}
}

func same(t *testing.T, got, want session.Account) {
	t.Helper()
	if got, want := got.Clone(), want.Clone(); !reflect.DeepEqual(got, want) {
		t.Errorf("account\n got %+v\nwant %+v", got, want)
	}
}

func empty(t *testing.T, s store.Store) {
	o := load(t, s, juliet)
	if o.Key != juliet || o.Version != 0 || o.Account.Sessions == nil || o.Account.Endpoints == nil || o.Account.Pending == nil || !o.Account.Empty() {
		t.Errorf("Load of nobody: %#v", o)
	}
	if _, some, err := s.NextDue(t.Context()); some || err != nil {
		t.Errorf("NextDue: %v, %v", some, err)
	}
	if c := claim(t, s, noon, time.Minute, 10); len(c) != 0 {
		t.Errorf("Claim: %v", c)
	}
	if r := record(t, s, juliet, time.Time{}); len(r) != 0 {
		t.Errorf("Reasons: %v", r)
	}
}

func roundTrip(t *testing.T, s store.Store) {
	a := full()
	put := make(wakes)
	for c := session.Silent; c < session.NumClasses; c++ {
		put[key("n1", c)] = session.Wake{Serial: uint64(c), Count: 2, Rule: "b", Since: noon, Due: noon.Add(time.Duration(c)), Attempt: 3, Lease: noon.Add(4), Sent: 1}
	}
	put[session.WakeKey{Address: session.Address{Service: "push.other.example"}, Class: session.Call}] = at(1)
	why := session.Reason{At: noon, Rule: "a3", Event: session.Queue, Verdict: session.Woke, Class: session.Call, Endpoint: key("n1", 0).Address, Session: "a", Why: "it's \"so\"", After: 1234567890, Stanza: "4q8f", Tag: "0123456789ab"}
	v := commit(t, s, store.Commit{Key: juliet, Account: a, Put: put, Reasons: []session.Reason{why}})
	if v == 0 {
		t.Error("a stored owner has version 0")
	}
	o := load(t, s, juliet)
	a.Pending = put
	same(t, o.Account, a)
	if o.Version != v {
		t.Errorf("version %d, Commit gave %d", o.Version, v)
	}
	if got := record(t, s, juliet, time.Time{}); !reflect.DeepEqual(got, []session.Reason{why}) {
		t.Errorf("reasons %+v", got)
	}
	// Again, with changes to all of it, and nothing but them.
	delete(a.Sessions, "b")
	a.Pending = maps.Clone(put)
	delete(a.Pending, key("n1", session.Group))
	a.Pending[key("n1", session.Call)] = at(7)
	commit(t, s, store.Commit{Key: juliet, Version: v, Account: a, Put: wakes{key("n1", session.Call): at(7)}, Drop: []session.WakeKey{key("n1", session.Group)}})
	same(t, load(t, s, juliet).Account, a)
}

func conflict(t *testing.T, s store.Store) {
	attempt := func(version uint64) {
		t.Helper()
		before, lines := load(t, s, juliet), len(record(t, s, juliet, time.Time{}))
		_, err := s.Commit(t.Context(), store.Commit{Key: juliet, Version: version, Account: full(), Put: wakes{key("stray", session.Call): at(0)},
			Drop: []session.WakeKey{key("n1", session.Call)}, Reasons: []session.Reason{{At: noon, Why: "stray"}}})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("from version %d: %v, want ErrConflict", version, err)
		}
		if after := load(t, s, juliet); !reflect.DeepEqual(before, after) || len(record(t, s, juliet, time.Time{})) != lines {
			t.Errorf("from version %d: it left something: %+v", version, after)
		}
	}
	attempt(1)
	v1 := commit(t, s, store.Commit{Key: juliet, Account: session.Account{Serial: 1}, Put: wakes{key("n1", session.Call): at(0)}})
	attempt(0)
	v2 := commit(t, s, store.Commit{Key: juliet, Version: v1, Account: session.Account{Serial: 2}})
	attempt(0)
	attempt(v1)
	attempt(v2 + 1)
	if n, err := s.Counts(t.Context()); err != nil || n.Pending != 1 || n.Endpoints != 0 {
		t.Errorf("counts %+v, %v", n, err)
	}
}

func concurrent(t *testing.T, s store.Store) {
	const callers, each = 8, 25
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for done := 0; done < each; {
				o, err := s.Load(t.Context(), juliet)
				if err != nil {
					t.Error(err)
					return
				}
				o.Account.Serial++
				_, err = s.Commit(t.Context(), store.Commit{Key: juliet, Version: o.Version, Account: o.Account, Reasons: []session.Reason{{At: noon, Why: "counted"}}})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if o := load(t, s, juliet); o.Account.Serial != callers*each {
		t.Errorf("%d increments are there of %d", o.Account.Serial, callers*each)
	}
	if n := len(record(t, s, juliet, time.Time{})); n != min(callers*each, store.MaxReasons) {
		t.Errorf("%d reasons", n)
	}
}

// One in three is decided on a version that never was; the others must not notice.
func neighbours(t *testing.T, s store.Store) {
	const n = 60
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			c := store.Commit{Key: fmt.Sprintf("u%d@example.org", i), Account: full(), Put: wakes{key("n1", session.Call): at(i)}}
			if i%3 == 0 {
				c.Version = 1 << 40
			}
			_, err := s.Commit(t.Context(), c)
			if stale := i%3 == 0; stale != errors.Is(err, store.ErrConflict) || (!stale && err != nil) {
				t.Errorf("decision %d: %v", i, err)
			}
		})
	}
	all.Wait()
	c, err := s.Counts(t.Context())
	if err != nil || c.Pending != n*2/3 || c.Endpoints != 2*n*2/3 || c.Sessions[session.Hibernated] != n*2/3 {
		t.Errorf("counts %+v, %v", c, err)
	}
}

func forget(t *testing.T, s store.Store) {
	c := store.Commit{Key: juliet, Account: full(), Put: wakes{key("n1", session.Call): at(0)}, Reasons: []session.Reason{{At: noon, Why: "x"}}}
	old := commit(t, s, c)
	c.Key = romeo
	commit(t, s, c)
	if _, err := s.Commit(t.Context(), store.Commit{Key: juliet, Version: old + 9, Forget: true}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Forget of another version: %v", err)
	}
	if v := commit(t, s, store.Commit{Key: juliet, Version: old, Forget: true}); v != 0 {
		t.Errorf("Forget gives version %d", v)
	}
	if o := load(t, s, juliet); o.Version != 0 || !o.Account.Empty() || o.Account.Serial != 0 {
		t.Errorf("forgotten, and there: %+v", o)
	}
	if r := record(t, s, juliet, time.Time{}); len(r) != 0 {
		t.Errorf("forgotten, and remembered: %v", r)
	}
	if got := claim(t, s, noon, time.Minute, 9); len(got) != 1 || got[0].Owner != romeo {
		t.Errorf("claimed %v, want romeo's alone", got)
	}
	if v := commit(t, s, store.Commit{Key: nurse, Forget: true}); v != 0 {
		t.Errorf("Forget of nobody gives version %d", v)
	}
	// One who comes again is somebody else.
	fresh := commit(t, s, store.Commit{Key: juliet, Account: session.Account{Serial: 1}})
	if fresh == old {
		t.Errorf("version %d was given twice", old)
	}
	if _, err := s.Commit(t.Context(), store.Commit{Key: juliet, Version: old, Forget: true}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a decision about the forgotten one: %v", err)
	}
}

// What a caller does to its maps afterwards is its own affair.
func notShared(t *testing.T, s store.Store) {
	c := store.Commit{Key: juliet, Account: full(), Put: wakes{key("n1", session.Call): at(0)}}
	commit(t, s, c)
	clear(c.Account.Sessions)
	clear(c.Put)
	c.Account.Seen[0].Key = "scribbled"
	o := load(t, s, juliet)
	clear(o.Account.Sessions)
	clear(o.Account.Pending)
	want := full()
	want.Pending = wakes{key("n1", session.Call): at(0)}
	same(t, load(t, s, juliet).Account, want)
}

func owners(t *testing.T, s store.Store) {
	const n = 1100 // more than anybody reads at once
	want := make(map[string]bool)
	var all sync.WaitGroup
	for i := range n {
		k := fmt.Sprintf("u%d@example.org", i)
		want[k] = true
		all.Go(func() {
			if _, err := s.Commit(t.Context(), store.Commit{Key: k}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range []string{nurse, "u@example.org.evil.example", "u@notexample.org", store.NodeKey("abc"), store.NodeKey("u@example.org")} {
		commit(t, s, store.Commit{Key: k})
	}
	commit(t, s, store.Commit{Key: "example.org"}) // a host is an account too
	want["example.org"] = true
	delete(want, "u7@example.org")
	commit(t, s, store.Commit{Key: "u7@example.org", Version: load(t, s, "u7@example.org").Version, Forget: true})
	got := make(map[string]bool)
	for k, err := range s.Owners(t.Context(), "example.org") {
		if err != nil {
			t.Fatal(err)
		}
		if got[k] {
			t.Errorf("%s twice", k)
		}
		got[k] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d owners, want %d", len(got), len(want))
	}
	seen := 0
	for k, err := range s.Owners(t.Context(), "example.org") {
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, store.Commit{Key: k, Version: load(t, s, k).Version, Account: full()}) // while the list is read
		if seen++; seen == 3 {
			break
		}
	}
}

func countsAll(t *testing.T, s store.Store) {
	v := commit(t, s, store.Commit{Key: juliet, Account: full(), Put: wakes{key("n1", session.Group): at(9), key("n1", session.Call): at(30)}})
	commit(t, s, store.Commit{Key: romeo, Account: full(), Put: wakes{key("n2", session.Silent): at(5)}})
	a := full()
	a.Sessions["b"] = session.Session{State: session.Delayed}
	a.Sessions["c"] = session.Session{State: session.Inactive}
	v = commit(t, s, store.Commit{Key: juliet, Version: v, Account: a})
	check := func(want store.Counts) {
		t.Helper()
		got, err := s.Counts(t.Context())
		maps.DeleteFunc(got.Sessions, func(_ session.State, n int) bool { return n == 0 })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("counts %+v, %v, want %+v", got, err, want)
		}
	}
	check(store.Counts{Sessions: map[session.State]int{session.Hibernated: 2, session.Active: 1, session.Delayed: 1, session.Inactive: 1},
		Endpoints: 4, Pending: 3, OldestDue: at(5).Due})
	commit(t, s, store.Commit{Key: juliet, Version: v, Forget: true})
	check(store.Counts{Sessions: map[session.State]int{session.Hibernated: 1, session.Active: 1}, Endpoints: 2, Pending: 1, OldestDue: at(5).Due})
}

// What cannot be read again must not be written.
func refused(t *testing.T, s store.Store) {
	for name, c := range map[string]store.Commit{
		"no key":        {},
		"unknown state": {Key: juliet, Account: session.Account{Sessions: map[string]session.Session{"a": {State: session.NumStates}}}},
		"unknown class": {Key: juliet, Put: wakes{key("n1", session.NumClasses): at(0)}},
	} {
		if _, err := s.Commit(t.Context(), c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := s.Claim(t.Context(), noon, 0, 1); err == nil {
		t.Error("a claim without a lease: taken")
	}
	if o := load(t, s, juliet); o.Version != 0 {
		t.Errorf("stored: %+v", o)
	}
}

// cancelled calls everything with a context that has ended.
func cancelled(t *testing.T, s store.Store) {
	v := commit(t, s, store.Commit{Key: juliet, Account: full(), Put: wakes{key("n1", session.Call): at(0)}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range everything(ctx, s, v) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	if got := claim(t, s, noon, time.Minute, 1); len(got) != 1 {
		t.Errorf("a claim that was given up took %d wakes", 1-len(got))
	}
}

// closed wants every call after Close to say so.
func closed(t *testing.T, s store.Store) {
	v := commit(t, s, store.Commit{Key: juliet, Account: full()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range everything(t.Context(), s, v) {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

// everything calls every method once and gives the errors.
func everything(ctx context.Context, s store.Store, version uint64) map[string]error {
	out := make(map[string]error)
	_, out["Load"] = s.Load(ctx, juliet)
	_, out["Commit"] = s.Commit(ctx, store.Commit{Key: juliet, Version: version, Account: full()})
	_, out["Claim"] = s.Claim(ctx, noon, time.Minute, 1)
	_, _, out["NextDue"] = s.NextDue(ctx)
	_, out["Reasons"] = s.Reasons(ctx, juliet, time.Time{})
	for _, err := range s.Owners(ctx, "example.org") {
		out["Owners"] = err
	}
	_, out["Counts"] = s.Counts(ctx)
	_, out["Registration"] = s.Registration(ctx, "n")
	out["Register"] = s.Register(ctx, session.Registration{Node: "n", Token: "t", Updated: noon})
	_, out["Bury"] = s.Bury(ctx, "n", "x", noon)
	out["Unregister"] = s.Unregister(ctx, "n", "x", noon)
	_, out["Reporter"] = s.Reporter(ctx, "h")
	out["SetReporter"] = s.SetReporter(ctx, store.Reporter{Host: "h"}, store.Reporter{Host: "h", Seq: 1})
	out["EndLeases"] = s.EndLeases(ctx, "")
	_, out["Announce"] = s.Announce(ctx, store.Process{ID: "p"}, time.Minute)
	out["Inherited"] = s.Inherited(ctx, "p")
	out["Depart"] = s.Depart(ctx, "p")
	_, out["Processes"] = s.Processes(ctx)
	_, out["Hold"] = s.Hold(ctx, "link", "p", time.Minute)
	for _, err := range s.Items(ctx) {
		out["Items"] = err
	}
	out["Put"] = s.Put(ctx, []store.Item{{Name: "n", Value: "v"}})
	_, out["Keep"] = s.Keep(ctx, "a", "b")
	out["Verify"] = s.Verify(ctx)
	return out
}

// claimedKeys are what was claimed, in its order.
func claimedKeys(cs []store.Claimed) []string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s %s", c.Key.Node, c.Key.Class))
	}
	return slices.Clip(out)
}
