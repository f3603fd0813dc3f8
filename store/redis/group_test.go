package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// An hour on which nothing depends.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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

// served is what Redis counts of itself: commands that came, and reads of sockets.
type served struct{ scripts, commands, reads int }

func (s *server) served(t testing.TB) (n served) {
	t.Helper()
	text, err := s.client.Info(t.Context(), "commandstats", "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	fields := infoFields(text)
	n.reads, _ = strconv.Atoi(fields["total_reads_processed"])
	for name, value := range fields {
		calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		count, _ := strconv.Atoi(calls)
		switch {
		case name == "cmdstat_evalsha":
			n.scripts += count
		case name == "cmdstat_eval", name == "cmdstat_script|load", name == "cmdstat_wait":
			n.commands += count // what a decision must not need
		}
	}
	return n
}

// A decision is one command, and shares its round trip with those that are under
// way at the same time. Counted by Redis, not timed.
func TestDecisionsShareRoundTrips(t *testing.T) {
	server := start(t, inMemory)
	s := server.empty(t)
	inFlight(t, s, 64, 1) // scripts are known, connections are up
	const callers, each = 64, 200
	before, sent := server.served(t), s.Stats()
	inFlight(t, s, callers, each)
	after, now := server.served(t), s.Stats()
	const loads = callers
	decisions := after.scripts - before.scripts
	reads := float64(after.reads-before.reads) / float64(decisions)
	t.Logf("64 in flight: %d decisions in %d round trips, %.3f reads of the socket each", decisions, now.RoundTrips-sent.RoundTrips, reads)
	if want := callers*each + loads; decisions != want || now.Commands-sent.Commands != uint64(want) || after.commands != before.commands {
		t.Errorf("%d scripts, %d commands sent, %d others, want %d, as many, none", decisions, now.Commands-sent.Commands, after.commands-before.commands, want)
	}
	if reads > 0.10 {
		t.Errorf("%.3f reads a decision, at most 0.10 are wanted", reads)
	}
}

// One caller alone pays one round trip for a decision.
func TestADecisionIsOneRoundTrip(t *testing.T) {
	server := start(t, inMemory)
	s := server.empty(t)
	inFlight(t, s, 1, 1)
	sent := s.Stats()
	inFlight(t, s, 1, 100)
	if now := s.Stats(); now.RoundTrips-sent.RoundTrips != 101 || now.Commands-sent.Commands != 101 { // and one Load
		t.Errorf("%d round trips with %d commands for 100 decisions and a load", now.RoundTrips-sent.RoundTrips, now.Commands-sent.Commands)
	}
}

// The floor is the same store with one command for each round trip, measured in the
// same run.
func BenchmarkCommit(b *testing.B) {
	server := start(b, inMemory)
	s := server.empty(b)
	for _, callers := range []int{1, 64, 256} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			inFlight(b, s, callers, 1)
			before := s.Stats()
			b.ReportAllocs()
			b.ResetTimer()
			inFlight(b, s, callers, (b.N+callers-1)/callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
			b.ReportMetric(float64(s.Stats().RoundTrips-before.RoundTrips)/float64(b.N), "trips/decision")
		})
	}
}
