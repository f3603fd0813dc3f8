package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// TestADeadProcessesLeasesEndWithIt: whoever opens the file is alone with it.
func TestADeadProcessesLeasesEndWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rouse.db")
	now := time.Unix(1_700_000_000, 0).UTC()
	key := session.WakeKey{Address: session.Address{Service: "push.example.org", Node: "n"}, Class: session.Message}
	first, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wake := session.Wake{Serial: 1, Count: 2, Rule: "a3", Since: now.Add(-time.Second), Due: now}
	if _, err := first.Commit(t.Context(), store.Commit{Key: "juliet@example.org", Account: session.Account{}.Clone(), Put: map[session.WakeKey]session.Wake{key: wake}}); err != nil {
		t.Fatal(err)
	}
	if claimed, err := first.Claim(t.Context(), now, time.Hour, 1); err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if claimed, err := second.Claim(t.Context(), now, time.Hour, 1); err != nil || len(claimed) != 0 {
		t.Fatalf("opening alone ended the lease: %+v, %v", claimed, err)
	}
	if err := second.EndLeases(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	claimed, err := second.Claim(t.Context(), now, time.Hour, 1)
	if err != nil || len(claimed) != 1 || claimed[0].Wake.Serial != 1 || claimed[0].Wake.Sent != 2 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	if err := second.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
