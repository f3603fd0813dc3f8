// Package storetest is the suite that every implementation of store.Store
// passes: scenarios that say what the contracts mean (Run), and a machine that
// does random things to a store and to a model of a few lines and wants both to
// answer alike (package rapid).
package storetest

import (
	"context"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// Run holds a store to the contracts. open gives an empty one; the test closes
// it, and closing it once more must do no harm. reopen closes a store and opens
// what it left behind; it is nil for a store that leaves nothing.
func Run(t *testing.T, open func(t *testing.T) store.Store, reopen func(t *testing.T, s store.Store) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"Empty": empty, "RoundTrip": roundTrip, "Conflict": conflict, "Concurrent": concurrent, "Neighbours": neighbours,
		"Forget": forget, "NotShared": notShared, "Owners": owners, "Counts": countsAll, "Refused": refused,
		"ClaimOrder": claimOrder, "Lease": lease, "Settle": settle, "Withdraw": withdraw, "ClaimTogether": claimTogether, "NextDue": nextDue,
		"Reasons": reasons, "ReasonsBounded": reasonsBounded,
		"Register": register, "Registrations": registrations, "Bury": bury, "Unregister": unregister, "Reporters": reporters, "Keep": keep,
		"EndLeases": endLeases, "Processes": processes, "Portable": portable,
		"Cancelled": cancelled, "Closed": closed,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			test(t, s)
			if name != "Closed" {
				if err := s.Verify(t.Context()); err != nil {
					t.Errorf("Verify: %v", err)
				}
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	if reopen != nil {
		t.Run("Reopened", func(t *testing.T) { reopened(t, open(t), reopen) })
	}
	t.Run("Machine", func(t *testing.T) { machine(t, open, reopen) })
}

// noon is the hour at which the scenarios play.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

const (
	juliet = "juliet@example.org"
	romeo  = "romeo@example.org"
	nurse  = "nurse@capulet.example"
)

// at is a wake of a class that falls due some seconds after noon.
func at(seconds int) session.Wake {
	return session.Wake{Serial: 1, Count: 1, Rule: "a3", Since: noon, Due: noon.Add(time.Duration(seconds) * time.Second)}
}

func key(node string, c session.Class) session.WakeKey {
	return session.WakeKey{Address: session.Address{Service: "push.example.org", Node: node}, Class: c}
}

type wakes = map[session.WakeKey]session.Wake

// tb is what the scenarios and the machine have in common.
type tb interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// commit wants a decision to be taken, and gives the version.
func commit(t *testing.T, s store.Store, c store.Commit) uint64 {
	t.Helper()
	v, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("Commit of %s from version %d: %v", c.Key, c.Version, err)
	}
	return v
}

func load(t tb, s store.Store, key string) store.Owner {
	t.Helper()
	o, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load %s: %v", key, err)
	}
	return o
}

func claim(t *testing.T, s store.Store, now time.Time, lease time.Duration, limit int) []store.Claimed {
	t.Helper()
	c, err := s.Claim(t.Context(), now, lease, limit)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return c
}

func record(t tb, s store.Store, key string, since time.Time) []session.Reason {
	t.Helper()
	r, err := s.Reasons(t.Context(), key, since)
	if err != nil {
		t.Fatalf("Reasons of %s: %v", key, err)
	}
	return r
}
