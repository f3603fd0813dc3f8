package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

func claimOrder(t *testing.T, s store.Store) {
	commit(t, s, store.Commit{Key: juliet, Put: wakes{
		key("j", session.Message): at(-5), key("j", session.Call): at(0), key("j", session.Silent): at(-99), key("j", session.Mention): at(1)}})
	commit(t, s, store.Commit{Key: romeo, Put: wakes{
		key("r", session.Message): at(-7), key("r", session.Call): at(-1), key("r", session.Group): at(-2)}})
	first := claim(t, s, noon, time.Minute, 3)
	rest := claim(t, s, noon, time.Minute, 99)
	if got, want := claimedKeys(append(first, rest...)), []string{"r call", "j call", "r message", "j message", "r group", "j silent"}; !slices.Equal(got, want) || len(first) != 3 {
		t.Errorf("claimed %d first, %q, want 3, %q", len(first), got, want)
	}
	if got := claim(t, s, noon.Add(time.Second), time.Minute, 99); len(got) != 1 || got[0].Key != key("j", session.Mention) || got[0].Owner != juliet {
		t.Errorf("a second later %v, want the mention", got)
	}
	if got := claim(t, s, noon.Add(time.Hour), time.Minute, 0); len(got) != 0 {
		t.Errorf("none was asked for, got %v", got)
	}
}

func lease(t *testing.T, s store.Store) {
	w := at(0)
	w.Count, w.Attempt, w.Serial = 5, 2, 1<<63+1
	v := commit(t, s, store.Commit{Key: juliet, Account: session.Account{Serial: 1}, Put: wakes{key("n1", session.Call): w}})
	if got := claim(t, s, noon.Add(-1), time.Minute, 9); len(got) != 0 {
		t.Fatalf("claimed before it is due: %v", got)
	}
	got := claim(t, s, noon, time.Minute, 9)
	w.Due, w.Lease, w.Sent = noon.Add(time.Minute), noon.Add(time.Minute), 5
	o := load(t, s, juliet)
	if want := []store.Claimed{{Owner: juliet, Key: key("n1", session.Call), Wake: w, Before: v, After: o.Version}}; !reflect.DeepEqual(got, want) {
		t.Fatalf("claimed %+v, want %+v", got, want)
	}
	if o.Version == v || o.Account.Pending[key("n1", session.Call)] != w || o.Account.Serial != 1 {
		t.Errorf("after the claim of version %d: %+v", v, o)
	}
	if _, err := s.Commit(t.Context(), store.Commit{Key: juliet, Version: v}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a decision from before the claim: %v, want ErrConflict", err)
	}
	if got := claim(t, s, noon.Add(time.Minute-1), time.Minute, 9); len(got) != 0 {
		t.Errorf("claimed within the lease: %v", got)
	}
	again := claim(t, s, noon.Add(time.Minute), time.Minute, 9)
	if len(again) != 1 || again[0].Wake.Lease != noon.Add(2*time.Minute) {
		t.Errorf("after the lease: %+v", again)
	}
}

// Settling is a commit like any other: dropped when sent, due later when not.
func settle(t *testing.T, s store.Store) {
	commit(t, s, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(0), key("n1", session.Message): at(1)}})
	for _, c := range claim(t, s, noon.Add(time.Second), time.Minute, 9) {
		o := load(t, s, c.Owner)
		change := store.Commit{Key: c.Owner, Version: o.Version, Account: o.Account, Drop: []session.WakeKey{c.Key}}
		if c.Key.Class == session.Message {
			later := c.Wake
			later.Due, later.Lease, later.Attempt = noon.Add(10*time.Second), time.Time{}, 1
			change.Put, change.Drop = wakes{c.Key: later}, nil
		}
		commit(t, s, change)
	}
	if got := claim(t, s, noon.Add(9*time.Second), time.Minute, 9); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	got := claim(t, s, noon.Add(time.Hour), time.Minute, 9)
	if len(got) != 1 || got[0].Key.Class != session.Message || got[0].Wake.Attempt != 1 {
		t.Errorf("claimed %+v, want the message", got)
	}
}

func withdraw(t *testing.T, s store.Store) {
	v := commit(t, s, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(0), key("n2", session.Call): at(0)}})
	commit(t, s, store.Commit{Key: juliet, Version: v, Drop: []session.WakeKey{key("n1", session.Call), key("never", session.Call)}})
	if got := claim(t, s, noon.Add(time.Hour), time.Minute, 9); len(got) != 1 || got[0].Key.Node != "n2" {
		t.Errorf("claimed %v, want what was not withdrawn", got)
	}
}

// Workers that claim at once never get the same wake.
func claimTogether(t *testing.T, s store.Store) {
	const n = 120
	for i := range n / 4 {
		put := make(wakes)
		for j := range 4 {
			put[key(fmt.Sprintf("%d-%d", i, j), session.Message)] = at(-i)
		}
		commit(t, s, store.Commit{Key: fmt.Sprintf("u%d@example.org", i), Put: put})
	}
	var mu sync.Mutex
	times := make(map[session.WakeKey]int)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for {
				got, err := s.Claim(t.Context(), noon, time.Minute, 7)
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, c := range got {
					times[c.Key]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for k, c := range times {
		if c != 1 {
			t.Errorf("%v was claimed %d times", k, c)
		}
	}
	if len(times) != n {
		t.Errorf("%d wakes were claimed of %d", len(times), n)
	}
}

func nextDue(t *testing.T, s store.Store) {
	check := func(want session.Wake) {
		t.Helper()
		if due, some, err := s.NextDue(t.Context()); err != nil || !some || !due.Equal(want.Due) {
			t.Errorf("NextDue %v, %v, %v, want %v", due, some, err, want.Due)
		}
	}
	v := commit(t, s, store.Commit{Key: juliet, Put: wakes{key("n1", session.Call): at(50)}})
	check(at(50))
	commit(t, s, store.Commit{Key: romeo, Put: wakes{key("n2", session.Silent): at(20)}})
	check(at(20))
	claim(t, s, noon.Add(20*time.Second), time.Minute, 1)
	check(at(50))
	commit(t, s, store.Commit{Key: juliet, Version: v, Drop: []session.WakeKey{key("n1", session.Call)}})
	check(at(80))
}

func reasons(t *testing.T, s store.Store) {
	line := func(i int) session.Reason {
		return session.Reason{At: noon.Add(time.Duration(i) * time.Second), Event: session.Bind, Verdict: session.Quiet, Why: fmt.Sprint(i)}
	}
	v := commit(t, s, store.Commit{Key: juliet, Reasons: []session.Reason{line(1), line(2)}})
	commit(t, s, store.Commit{Key: romeo, Reasons: []session.Reason{line(3)}})
	commit(t, s, store.Commit{Key: juliet, Version: v, Reasons: []session.Reason{line(4)}})
	if got, want := record(t, s, juliet, time.Time{}), []session.Reason{line(1), line(2), line(4)}; !reflect.DeepEqual(got, want) {
		t.Errorf("reasons %+v, want %+v", got, want)
	}
	if got, want := record(t, s, juliet, line(2).At), []session.Reason{line(2), line(4)}; !reflect.DeepEqual(got, want) {
		t.Errorf("since the second: %+v, want %+v", got, want)
	}
	if got := record(t, s, juliet, line(5).At); len(got) != 0 {
		t.Errorf("since the fifth: %+v", got)
	}
}

func reasonsBounded(t *testing.T, s store.Store) {
	var version uint64
	n := 0
	lines := func(count int) (out []session.Reason) {
		for range count {
			n++
			out = append(out, session.Reason{At: noon.Add(time.Duration(n)), Why: fmt.Sprint(n)})
		}
		return out
	}
	for _, count := range []int{150, 49, 1, 1, 30, store.MaxReasons, 3, store.MaxReasons + 50, 0, 1} {
		version = commit(t, s, store.Commit{Key: juliet, Version: version, Reasons: lines(count)})
		got := record(t, s, juliet, time.Time{})
		if len(got) != min(n, store.MaxReasons) || got[len(got)-1].Why != fmt.Sprint(n) || got[0].Why != fmt.Sprint(n-len(got)+1) {
			t.Fatalf("after %d: %d reasons, from %s to %s", n, len(got), got[0].Why, got[len(got)-1].Why)
		}
	}
}
