package snapshot

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/directory"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, file string) *DB {
	t.Helper()
	d, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// names are the entries that are known, and the events that wait.
func names(t *testing.T, d *DB) string {
	t.Helper()
	var list []string
	if err := d.Entries(t.Context(), func(e *directory.Entry) error { list = append(list, e.Sync); return nil }); err != nil {
		t.Fatal(err)
	}
	events, err := d.Events(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		list = append(list, "!"+e.Key)
	}
	s, err := d.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(list, s.Cookie), " ")
}

// TestCommit: entries, events and position are written together, or not at all; a key
// is told once, over restarts.
func TestCommit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "directory.db")
	d := open(t, file)
	commit := func(s Step) []directory.Event {
		t.Helper()
		fresh, err := d.Commit(t.Context(), s, noon)
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	is := func(want string) {
		t.Helper()
		if got := names(t, d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	commit(Step{Put: []*directory.Entry{{Sync: "a"}, {Sync: "b"}}, Events: []directory.Event{{Key: "k1"}}, State: State{Cookie: "c1"}})
	is("a b !k1 c1")
	if fresh := commit(Step{Drop: []string{"a"}, Put: []*directory.Entry{{Sync: "b", DN: "cn=b"}}, Events: []directory.Event{{Key: "k1"}, {Key: "k2"}}, State: State{Cookie: "c2"}}); len(fresh) != 1 || fresh[0].Key != "k2" {
		t.Errorf("%+v are new", fresh)
	}
	is("b !k1 !k2 c2")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Commit(gone, Step{Clear: true, State: State{Cookie: "c3"}}, noon); err == nil {
		t.Error("a step was made after its end")
	}
	is("b !k1 !k2 c2")

	events, _ := d.Events(t.Context(), 1)
	if err := d.Done(t.Context(), events[0].N); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, file)
	is("b !k2 c2")
	if fresh := commit(Step{Clear: true, Put: []*directory.Entry{{Sync: "z"}}, Events: []directory.Event{{Key: "k1"}}, Told: map[string]time.Time{"k9": noon}}); len(fresh) != 0 {
		t.Errorf("told again: %+v", fresh)
	}
	is("z !k2 ")
	if keys, err := d.Told(t.Context()); err != nil || len(keys) != 3 || !keys["k9"] {
		t.Errorf("%v, %v", keys, err)
	}
	if err := d.Forget(t.Context(), noon.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if keys, _ := d.Told(t.Context()); len(keys) != 0 {
		t.Errorf("%v are still known", keys)
	}
}

// TestNewer: what a later rouse wrote is left alone.
func TestNewer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "directory.db")
	open(t, file).Close()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), "a newer rouse") {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none", "x.db")); err == nil {
		t.Error("a file was made in no directory")
	}
}
