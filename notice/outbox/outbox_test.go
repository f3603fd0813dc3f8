package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/notice"
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// due gives what is due, as "address:id".
func due(t *testing.T, d *DB, at time.Time) string {
	t.Helper()
	list, err := d.Due(t.Context(), notice.Chat, at, 10)
	must(t, err)
	var out []string
	for _, e := range list {
		out = append(out, e.Address+":"+e.Notice.ID)
	}
	return strings.Join(out, " ")
}

func to(addresses ...string) (list []notice.Delivery) {
	for _, a := range addresses {
		list = append(list, notice.Delivery{Context: notice.Chat, Address: a, Lane: a, Role: notice.Admin, Filter: "default", Text: "Text."})
	}
	return list
}

// TestLanes: a notice is taken once; each is told in order, and who cannot be told
// holds up nobody else.
func TestLanes(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "notices.db"))
	for i, want := range []int{2, 0, 1} {
		list := [][]notice.Notice{{{ID: "n1"}, {ID: "n2"}}, {{ID: "n1", Text: "another"}}, {{ID: "n3"}, {ID: "n2"}}}[i]
		if fresh, err := d.Add(t.Context(), noon, list...); fresh != want || err != nil {
			t.Errorf("%d: %d are new, %v", i, fresh, err)
		}
	}
	list, err := d.Unplanned(t.Context(), 10)
	must(t, err)
	if len(list) != 3 || list[0].ID != "n1" || list[0].Text != "" {
		t.Fatalf("%+v", list)
	}
	must(t, d.Plan(t.Context(), list[0].N, to("a", "b"), noon))
	must(t, d.Plan(t.Context(), list[1].N, append(to("a"), notice.Delivery{Context: notice.Chat, Address: "c", Lane: "c", Fate: "no address"}), noon))
	must(t, d.Plan(t.Context(), list[1].N, to("a"), noon)) // again, after a crash
	if list, _ := d.Unplanned(t.Context(), 10); len(list) != 1 {
		t.Errorf("%+v wait for a plan", list)
	}
	is := func(at time.Time, want string) {
		t.Helper()
		if got := due(t, d, at); got != want {
			t.Errorf("%q are due, want %q", got, want)
		}
	}
	is(noon, "a:n1 b:n1")
	must(t, d.Settle(t.Context(), 1, Waiting, "no answer", noon.Add(time.Minute), noon))
	is(noon, "b:n1")
	must(t, d.Settle(t.Context(), 2, Told, "", noon, noon))
	is(noon, "")
	if next, err := d.Next(t.Context(), notice.Chat); err != nil || !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("the next is at %v, %v", next, err)
	}
	is(noon.Add(time.Minute), "a:n1")
	must(t, d.Settle(t.Context(), 1, Told, "", noon, noon))
	is(noon, "a:n2")

	if known, err := d.Bounce(t.Context(), "n1", "b", "it came back: item-not-found", noon); !known || err != nil {
		t.Errorf("what came back is not known: %v", err)
	}
	if known, _ := d.Bounce(t.Context(), "n1", "c", "", noon); known {
		t.Error("what was never sent came back")
	}
	var got []string
	of, err := d.Of(t.Context(), "", 10)
	must(t, err)
	for _, e := range of {
		got = append(got, fmt.Sprint(e.Address, " ", e.Notice.ID, " ", e.State, " ", e.Tries, " ", e.Why))
	}
	if text := strings.Join(got, "; "); text != "c n2 failed 0 no address; a n2 waiting 0 ; b n1 failed 1 it came back: item-not-found; a n1 told 2 " &&
		text != "a n2 waiting 0 ; c n2 failed 0 no address; b n1 failed 1 it came back: item-not-found; a n1 told 2 " {
		t.Error(text)
	}
	if c, err := d.Counts(t.Context()); err != nil || c != (Counts{Waiting: 1, Told: 1, Failed: 2, Unplanned: 1}) {
		t.Errorf("%+v, %v", c, err)
	}

	// What comes back before it is known to be told stays failed.
	if known, err := d.Bounce(t.Context(), "n2", "a", "it came back", noon); !known || err != nil {
		t.Errorf("what came back early is not known: %v", err)
	}
	must(t, d.Settle(t.Context(), 3, Told, "", noon, noon))
	if of, _ := d.Of(t.Context(), "a", 1); of[0].State != Failed || of[0].Why != "it came back" {
		t.Errorf("%+v", of[0])
	}
	if list, _ := d.Unplanned(t.Context(), 1); len(list) == 1 {
		must(t, d.Plan(t.Context(), list[0].N, to("a"), noon))
	}

	// What waits is not forgotten, nor what nobody looked at.
	must(t, d.Forget(t.Context(), noon.Add(time.Hour)))
	if lately, _ := d.Lately(t.Context(), 10); len(lately) != 1 || lately[0].ID != "n3" {
		t.Errorf("%+v are left", lately)
	}
	if of, _ := d.Of(t.Context(), "b", 10); len(of) != 0 {
		t.Errorf("%+v are left", of)
	}
}

func TestPreferences(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notices.db")
	d := open(t, file)
	mine := notice.Preferences{}.With(notice.Context{Name: notice.Device, Filters: []string{"mine"}})
	must(t, d.Prefer(t.Context(), "juliet@x", mine))
	if err := d.Prefer(t.Context(), "romeo@x", notice.Preferences{}.With(notice.Context{Name: "smoke"})); err == nil {
		t.Error("nonsense is kept")
	}
	d.Close()
	d = open(t, file)
	if p, err := d.Preferences(t.Context(), "juliet@x"); err != nil || p.Context(notice.Device).Off {
		t.Errorf("%+v, %v", p, err)
	}
	must(t, d.Prefer(t.Context(), "juliet@x", notice.Preferences{}))
	if p, err := d.Preferences(t.Context(), "juliet@x"); err != nil || len(p.Contexts) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestWhole: notices come all or none.
func TestWhole(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "notices.db"))
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := d.Add(ended, noon, notice.Notice{ID: "x"}); err == nil {
		t.Error("taken after its end")
	}
	if list, err := d.Lately(t.Context(), 1); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestNewer: what a later rouse wrote is left alone.
func TestNewer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notices.db")
	open(t, file).Close()
	db, err := sql.Open("sqlite", file)
	must(t, err)
	_, err = db.Exec("PRAGMA user_version = 99")
	must(t, err)
	db.Close()
	if _, err := Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), "a newer rouse") {
		t.Errorf("%v", err)
	}
}

// TestAbandon: what is for a program that is not there any more does not wait for ever.
func TestAbandon(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "notices.db"))
	_, err := d.Add(t.Context(), noon, notice.Notice{ID: "n1"})
	must(t, err)
	must(t, d.Plan(t.Context(), 1, append(to("a"), notice.Delivery{Context: "exec:old", Address: "old", Lane: "old"}, notice.Delivery{Context: "exec:new", Address: "new", Lane: "new"}), noon))
	must(t, d.Abandon(t.Context(), "exec:", []string{"chat", "exec:new"}, noon))
	for address, want := range map[string]State{"a": Waiting, "old": Failed, "new": Waiting} {
		if list, err := d.Of(t.Context(), address, 1); err != nil || len(list) != 1 || list[0].State != want {
			t.Errorf("%s: %+v, %v", address, list, err)
		}
	}
}
