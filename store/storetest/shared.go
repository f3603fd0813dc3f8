package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// Ids of the processes that RunShared plays.
const (
	First  = "p1"
	Second = "p2"
)

// RunShared holds a store that several processes work on to what they see of each
// other. open gives one that is empty, as First and as Second has it open.
func RunShared(t *testing.T, open func(t *testing.T) (first, second store.Store)) {
	for name, test := range map[string]func(t *testing.T, a, b store.Store){
		"Versions": sharedVersions, "Wakes": sharedWakes, "NeverBoth": neverBoth, "ClaimOfAnother": claimOfAnother,
		"LeasesOfOne": leasesOfOne, "LeaseKept": leaseKept, "Together": decidedTogether,
		"Processes": sharedProcesses, "ToldOnce": toldOnce, "ToldAgain": toldAgain, "Hold": hold, "Depart": departs, "Keep": sharedKeep,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t)
			test(t, a, b)
			if err := a.Verify(t.Context()); err != nil {
				t.Errorf("Verify: %v", err)
			}
			if err := errors.Join(a.Close(), b.Close()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// within repeats something that another process may see late, for a few seconds.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 seconds: %s", what)
		}
	}
}

func sharedVersions(t *testing.T, a, b store.Store) {
	v := commit(t, a, store.Commit{Key: juliet, Account: session.Account{Serial: 1}})
	o := load(t, b, juliet)
	if o.Version != v || o.Account.Serial != 1 {
		t.Errorf("the second loads %+v, the first stored version %d", o, v)
	}
	commit(t, b, store.Commit{Key: juliet, Version: v, Account: session.Account{Serial: 2}})
	if _, err := a.Commit(t.Context(), store.Commit{Key: juliet, Version: v, Account: session.Account{Serial: 3}}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the first decides on what the second has changed: %v, want ErrConflict", err)
	}
	if o := load(t, a, juliet); o.Account.Serial != 2 {
		t.Errorf("the first loads %+v", o)
	}
}

func sharedWakes(t *testing.T, a, b store.Store) {
	claim(t, b, noon, time.Minute, 9) // it looks, and finds nothing
	v := commit(t, a, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(0)}})
	var got []store.Claimed
	within(t, "the second claims what the first stored", func() bool {
		got = claim(t, b, noon, time.Minute, 9)
		return len(got) > 0
	})
	if len(got) != 1 || got[0].Owner != juliet || got[0].Before != v || got[0].After != load(t, a, juliet).Version {
		t.Errorf("claimed %+v, of version %d", got, v)
	}
	if got := claim(t, a, noon, time.Minute, 9); len(got) != 0 {
		t.Errorf("the first claims it too: %+v", got)
	}
	within(t, "both know when it is due again", func() bool {
		for _, s := range []store.Store{a, b} {
			if due, some, err := s.NextDue(t.Context()); err != nil || !some || !due.Equal(noon.Add(time.Minute)) {
				return false
			}
		}
		return true
	})
	if got := claim(t, a, noon.Add(time.Minute), time.Minute, 9); len(got) != 1 {
		t.Errorf("after the lease the first claims %+v", got)
	}
}

func neverBoth(t *testing.T, a, b store.Store) {
	const n = 200
	for i := range n {
		s := []store.Store{a, b}[i%2]
		commit(t, s, store.Commit{Key: fmt.Sprintf("u%d@example.org", i), Put: wakes{key(fmt.Sprint(i), session.Message): at(-i)}})
	}
	var mu sync.Mutex
	times, total := make(map[string]int), 0
	var all sync.WaitGroup
	for _, s := range []store.Store{a, b, a, b} {
		all.Go(func() {
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
				got, err := s.Claim(t.Context(), noon, time.Hour, 5)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				for _, c := range got {
					times[c.Key.Node]++
					total++
				}
				over := total >= n || err != nil
				mu.Unlock()
				if over {
					return
				}
			}
		})
	}
	all.Wait()
	if total != n || len(times) != n {
		t.Errorf("%d claims of %d wakes, want %d", total, len(times), n)
	}
}

func claimOfAnother(t *testing.T, a, b store.Store) {
	v := commit(t, a, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(0)}})
	within(t, "the second claims", func() bool { return len(claim(t, b, noon, time.Minute, 9)) == 1 })
	if _, err := a.Commit(t.Context(), store.Commit{Key: juliet, Version: v}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a decision from before the claim of another: %v, want ErrConflict", err)
	}
}

// claimed has each of two processes claim one wake.
func claimed(t *testing.T, a, b store.Store) {
	t.Helper()
	commit(t, a, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(-2)}})
	if got := claim(t, a, noon, time.Hour, 1); len(got) != 1 {
		t.Fatalf("the first claims %+v", got)
	}
	commit(t, b, store.Commit{Key: romeo, Put: wakes{key("n2", session.Call): at(-1)}})
	if got := claim(t, b, noon, time.Hour, 1); len(got) != 1 || got[0].Owner != romeo {
		t.Fatalf("the second claims %+v", got)
	}
}

func leasesOfOne(t *testing.T, a, b store.Store) {
	claimed(t, a, b)
	mine := load(t, a, juliet)
	if err := a.EndLeases(t.Context(), Second); err != nil {
		t.Fatal(err)
	}
	if now := load(t, a, juliet); now.Version != mine.Version || now.Account.Pending[key("n1", session.Call)].Lease.IsZero() {
		t.Errorf("the lease of the first ended: %+v", now)
	}
	if got := claim(t, a, noon, time.Hour, 9); len(got) != 1 || got[0].Owner != romeo {
		t.Errorf("the first claims %+v, want romeo's", got)
	}
}

// What a decision leaves claimed is still the claim of who made it.
func leaseKept(t *testing.T, a, b store.Store) {
	claimed(t, a, b)
	o := load(t, a, romeo)
	w := o.Account.Pending[key("n2", session.Call)]
	w.Count++
	commit(t, a, store.Commit{Key: romeo, Version: o.Version, Put: wakes{key("n2", session.Call): w}})
	for _, p := range []string{First, "somebody", Second} {
		if err := a.EndLeases(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		now := load(t, a, romeo).Account.Pending[key("n2", session.Call)]
		if ended := now.Lease.IsZero(); ended != (p == Second) || now.Count != w.Count {
			t.Errorf("after the leases of %s ended: %+v", p, now)
		}
	}
}

func decidedTogether(t *testing.T, a, b store.Store) {
	const each = 50
	var all sync.WaitGroup
	for _, s := range []store.Store{a, b, a, b} {
		all.Go(func() {
			for done := 0; done < each; {
				o, err := s.Load(t.Context(), juliet)
				if err == nil {
					o.Account.Serial++
					_, err = s.Commit(t.Context(), store.Commit{Key: juliet, Version: o.Version, Account: o.Account})
				}
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if o := load(t, a, juliet); o.Account.Serial != 4*each {
		t.Errorf("%d increments are there of %d", o.Account.Serial, 4*each)
	}
}

func announce(t *testing.T, s store.Store, id string, started time.Time, silence time.Duration) []store.Process {
	t.Helper()
	gone, err := s.Announce(t.Context(), store.Process{ID: id, Machine: "m", Started: started}, silence)
	if err != nil {
		t.Fatalf("Announce: %v", err)
	}
	return gone
}

func sharedProcesses(t *testing.T, a, b store.Store) {
	announce(t, a, First, noon.Add(1), time.Minute)
	announce(t, b, Second, noon, time.Minute)
	for _, s := range []store.Store{a, b} {
		list, err := s.Processes(t.Context())
		if err != nil || len(list) != 2 || list[0].ID != Second || list[1].ID != First || !list[1].Started.Equal(noon.Add(1)) {
			t.Errorf("processes %+v, %v, want the oldest first", list, err)
		}
	}
}

func toldOnce(t *testing.T, a, b store.Store) {
	announce(t, a, "silent", noon, time.Minute)
	var told []string
	var began time.Time // no later than that
	within(t, "somebody is told of the silent one", func() bool {
		began = time.Now()
		for i, s := range []store.Store{a, b} {
			for _, p := range announce(t, s, []string{First, Second}[i], noon, 200*time.Millisecond) {
				told = append(told, p.ID)
			}
		}
		return slices.Contains(told, "silent")
	})
	for i, s := range []store.Store{b, a, b, a} {
		for _, p := range announce(t, s, []string{Second, First}[i%2], noon, 200*time.Millisecond) {
			told = append(told, p.ID)
		}
	}
	told = slices.DeleteFunc(told, func(id string) bool { return id != "silent" })
	if most := 1 + int(time.Since(began)/(6*200*time.Millisecond)); len(told) > most {
		t.Errorf("told of it %d times in %v", len(told), time.Since(began))
	}
	list, err := b.Processes(t.Context())
	if err != nil || slices.ContainsFunc(list, func(p store.Process) bool { return p.ID == "silent" }) {
		t.Errorf("processes %+v, %v", list, err)
	}
}

// toldAgain: who was told first may be gone too, or never have heard it.
func toldAgain(t *testing.T, a, b store.Store) {
	const silence = 20 * time.Millisecond
	silentTo := func(s store.Store, id string) bool {
		return slices.ContainsFunc(announce(t, s, id, noon, silence), func(p store.Process) bool { return p.ID == "silent" })
	}
	announce(t, a, "silent", noon, time.Minute)
	within(t, "the first is told of the silent one", func() bool { return silentTo(a, First) })
	within(t, "the second is told later", func() bool { return silentTo(b, Second) })
	if err := b.Inherited(t.Context(), "silent"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(12 * silence); time.Now().Before(deadline); {
		if silentTo(a, First) || silentTo(b, Second) {
			t.Fatal("told again, after all was done for it")
		}
	}
	announce(t, a, "silent", noon, time.Minute) // it was not gone, only slow
	if list, err := b.Processes(t.Context()); err != nil || !slices.ContainsFunc(list, func(p store.Process) bool { return p.ID == "silent" }) {
		t.Errorf("it is back: %+v, %v", list, err)
	}
}

func hold(t *testing.T, a, b store.Store) {
	take := func(s store.Store, process string, ttl time.Duration) store.Lease {
		t.Helper()
		l, err := s.Hold(t.Context(), "link", process, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := take(a, First, 300*time.Millisecond)
	if first.Holder != First || first.Fence == 0 {
		t.Errorf("the first gets %+v", first)
	}
	if l := take(b, Second, time.Minute); l.Holder != First || l.Fence != first.Fence || l.Left <= 0 || l.Left > 300*time.Millisecond {
		t.Errorf("the second gets %+v, while the first has %+v", l, first)
	}
	var second store.Lease
	within(t, "the lease of the first ends", func() bool {
		second = take(b, Second, time.Minute)
		return second.Holder == Second
	})
	if second.Fence <= first.Fence {
		t.Errorf("the fence went from %d to %d", first.Fence, second.Fence)
	}
	if l := take(a, First, time.Minute); l.Holder != Second || l.Fence != second.Fence {
		t.Errorf("the first, too late, gets %+v", l)
	}
	if l, err := a.Hold(t.Context(), "another", First, time.Minute); err != nil || l.Holder != First {
		t.Errorf("another name: %+v, %v", l, err)
	}
}

func departs(t *testing.T, a, b store.Store) {
	announce(t, a, First, noon, time.Minute)
	l, err := a.Hold(t.Context(), "link", First, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Depart(t.Context(), First); err != nil {
		t.Fatal(err)
	}
	next, err := b.Hold(t.Context(), "link", Second, time.Hour)
	if err != nil || next.Holder != Second || next.Fence <= l.Fence {
		t.Errorf("after %+v departed the second gets %+v, %v", l, next, err)
	}
	if list, err := b.Processes(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("processes %+v, %v", list, err)
	}
}

func sharedKeep(t *testing.T, a, b store.Store) {
	if v, err := a.Keep(t.Context(), "node key", "x"); err != nil || v != "x" {
		t.Errorf("the first keeps %q, %v", v, err)
	}
	if v, err := b.Keep(t.Context(), "node key", "y"); err != nil || v != "x" {
		t.Errorf("the second is given %q, %v", v, err)
	}
}
