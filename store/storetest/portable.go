package storetest

import (
	"reflect"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// everyItem reads a store out.
func everyItem(t *testing.T, s store.Store) map[string]store.Item {
	t.Helper()
	items := make(map[string]store.Item)
	for i, err := range s.Items(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		name := i.Owner.Key + "|" + i.Registration.Node + "|" + i.Reporter.Host + "|" + i.Name
		if _, twice := items[name]; twice {
			t.Errorf("%s twice", name)
		}
		i.Owner.Version = 0
		items[name] = i
	}
	return items
}

func portable(t *testing.T, s store.Store) {
	if got := everyItem(t, s); len(got) != 0 {
		t.Errorf("in an empty store: %+v", got)
	}
	account := full()
	account.Pending = wakes{key("n1", session.Call): at(0), key("n2", session.Group): at(1)}
	put := []store.Item{
		{Owner: store.Owner{Key: juliet, Account: account}, Reasons: []session.Reason{{At: noon, Why: "x"}, {At: noon, Why: "y"}}},
		{Owner: store.Owner{Key: store.NodeKey("n"), Account: session.Account{Serial: 3}.Clone()}},
		{Registration: device()},
		{Registration: session.Registration{Node: "n2", App: "a", Domain: "d", Updated: noon, Dead: "asked", Died: noon.Add(1)}},
		{Reporter: store.Reporter{Host: "example.org", Epoch: 1<<63 + 1, Seq: 2, Wanted: true, Picture: 2}},
		{Reporter: store.Reporter{Host: "example.org ejabberd@a", Epoch: 1 << 40, Seq: 1}},
		{Name: "node-key", Value: "f"},
	}
	// What is there is written over, with all that belongs to it.
	commit(t, s, store.Commit{Key: juliet, Account: full(), Put: wakes{key("old", session.Call): at(0)}, Reasons: []session.Reason{{At: noon, Why: "old"}}})
	for range 2 {
		if err := s.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	want := make(map[string]store.Item)
	for _, i := range put {
		want[i.Owner.Key+"|"+i.Registration.Node+"|"+i.Reporter.Host+"|"+i.Name] = i
	}
	if got := everyItem(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("items\n got %+v\nwant %+v", got, want)
	}
	if o := load(t, s, juliet); o.Version == 0 || !reflect.DeepEqual(o.Account.Pending, account.Pending) {
		t.Errorf("the owner: %+v", o)
	}
	if n, err := s.Counts(t.Context()); err != nil || n.Pending != 2 || n.Endpoints != 2 {
		t.Errorf("counts %+v, %v", n, err)
	}
	if got := claim(t, s, noon.Add(time.Minute), time.Minute, 9); len(got) != 2 {
		t.Errorf("claimed %+v", got)
	}
	for range 2 {
		if err := s.Put(t.Context(), []store.Item{{Name: "node-key"}}); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Keep(t.Context(), "node-key", ""); err != nil || v != "" || len(everyItem(t, s)) != len(put)-1 {
		t.Errorf("a name that was taken out has %q, %v", v, err)
	}
	if err := s.Put(t.Context(), []store.Item{{}}); err == nil {
		t.Error("an item that is nothing: taken")
	}
}
