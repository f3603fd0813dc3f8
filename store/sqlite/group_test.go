package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// An hour on which nothing depends.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// typical is what a stanza for a sleeping phone leads to: a state, a wake, a reason.
func typical(key string, n uint64) store.Commit {
	phone := session.Address{Service: "push.example.org", Node: "n" + key}
	return store.Commit{
		Key: key,
		Account: session.Account{
			Sessions:  map[string]session.Session{"s": {Resource: "phone", State: session.Hibernated, Epoch: 1, Counter: n, Out: n, Told: session.Mark{Epoch: 1, Seq: 2}}},
			Endpoints: map[session.Address]session.Endpoint{phone: {Owner: "s", Resource: "phone", Enabled: noon, Told: session.Mark{Epoch: 1, Seq: 2}}},
			Serial:    n,
		},
		Put: map[session.WakeKey]session.Wake{{Address: phone, Class: session.Message}: {Serial: n, Count: 1, Rule: "a3", Since: noon, Due: noon}},
		Reasons: []session.Reason{{At: noon.Add(time.Duration(n)), Rule: "a3", Event: session.Queue, Verdict: session.Woke, Class: session.Message,
			Endpoint: phone, Session: "s", Why: "a message waits for a phone that sleeps"}},
	}
}

// inFlight keeps so many callers busy, each with an owner of its own, until all
// of them have made `each` decisions.
func inFlight(t testing.TB, s *Store, callers, each int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			key := fmt.Sprintf("user%d@example.org", i)
			o, err := s.Load(context.Background(), key)
			if err != nil {
				t.Error(err)
				return
			}
			for range each {
				o.Account.Serial++
				c := typical(key, o.Account.Serial)
				c.Version = o.Version
				if o.Version, err = s.Commit(context.Background(), c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestDecisionsShareCommits(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "rouse.db"), Options{})
	inFlight(t, s, 64, 50)
	got := s.Stats()
	t.Logf("64 in flight: %d decisions in %d commits, %.1f each", got.Decisions, got.Commits, float64(got.Decisions)/float64(got.Commits))
	if got.Decisions != 64*50 || got.Commits*16 > got.Decisions {
		t.Fatalf("%+v: want at most one commit for 16 decisions", got)
	}
}

// The floor is the same store with one commit for each decision, measured in the
// same run on the same disk.
func BenchmarkCommit(b *testing.B) {
	const callers = 64
	rate := func(b *testing.B, group, n int) float64 {
		s := openAt(b, filepath.Join(b.TempDir(), "rouse.db"), Options{group: group})
		inFlight(b, s, callers, 1)
		began, before := time.Now(), s.Stats()
		inFlight(b, s, callers, (n+callers-1)/callers)
		took, after := time.Since(began), s.Stats()
		if group == 0 {
			b.ReportMetric(float64(after.Decisions-before.Decisions)/float64(after.Commits-before.Commits), "decisions/commit")
		}
		return float64(after.Decisions-before.Decisions) / took.Seconds()
	}
	runtime.GC()
	floor := rate(b, 1, min(b.N, 5000))
	b.ResetTimer()
	b.ReportAllocs()
	grouped := rate(b, 0, b.N)
	b.ReportMetric(grouped, "decisions/s")
	b.ReportMetric(floor, "floor/s")
	b.ReportMetric(grouped/floor, "ratio")
}
