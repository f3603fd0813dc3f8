package transfer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rouse/session"
	"rouse/store"
	"rouse/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source = "sqlite:/var/lib/rouse/rouse.db"
	token  = "t0ken"
	juliet = "juliet@example.org"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func empty(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s store.Store, items ...store.Item) {
	t.Helper()
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
}

func registration(n int) store.Item {
	return store.Item{Registration: session.Registration{Node: fmt.Sprintf("node%04d", n), App: "chat-ios", Token: token, Device: "d", Domain: "example.org", Updated: noon}}
}

// full is a store with some of everything, in two batches.
func full(t *testing.T) store.Store {
	t.Helper()
	s := empty(t)
	a := session.Account{Epoch: 1 << 60, Serial: 4}.Clone()
	phone := session.Address{Service: "push.example.org", Node: "node0001"}
	a.Sessions["s1"] = session.Session{State: session.Hibernated, Epoch: 1, Counter: 2, Told: session.Mark{Epoch: 1, Seq: 2}}
	a.Endpoints[phone] = session.Endpoint{Owner: "s1", Enabled: noon}
	a.Pending[session.WakeKey{Address: phone, Class: session.Call}] = session.Wake{Serial: 1, Count: 2, Rule: "a3", Since: noon, Due: noon.Add(time.Hour)}
	a.Pending[session.WakeKey{Address: phone, Class: session.Group}] = session.Wake{Serial: 2, Count: 1, Rule: "b", Since: noon, Due: noon}
	items := []store.Item{
		{Owner: store.Owner{Key: juliet, Account: a}, Reasons: []session.Reason{{At: noon.Add(-time.Hour), Why: "x"}, {At: noon, Why: "y"}}},
		{Owner: store.Owner{Key: store.NodeKey("node0002"), Account: session.Account{Serial: 3}.Clone()}},
		{Owner: store.Owner{Key: "nobody@example.org", Account: session.Account{}.Clone()}},
		{Registration: session.Registration{Node: "node-dead", App: "a", Token: token, Domain: "d", Updated: noon, Dead: "Unregistered", Died: noon}},
		{Registration: session.Registration{Node: "node-gone", App: "a", Domain: "d", Updated: noon, Dead: "asked", Died: noon.Add(-24 * time.Hour)}},
		{Reporter: store.Reporter{Host: "example.org", Epoch: 1<<63 + 1, Seq: 2, Wanted: true, Picture: 3}},
		{Name: nodeKey, Value: "f"},
	}
	for n := range 140 {
		items = append(items, registration(n))
	}
	put(t, s, items...)
	return s
}

// everything gives all items of a store by name, without what differs between copies.
func everything(t *testing.T, s store.Store) map[string]store.Item {
	t.Helper()
	all := make(map[string]store.Item)
	for i, err := range s.Items(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		i.Owner.Version = 0
		all[i.Owner.Key+"|"+i.Registration.Node+"|"+i.Reporter.Host+"|"+i.Name] = i
	}
	return all
}

func equals(t *testing.T, from, to store.Store) {
	t.Helper()
	a, b := everything(t, from), everything(t, to)
	for k := range a {
		if !reflect.DeepEqual(a[k], b[k]) {
			t.Errorf("%s\nsource %+v\ntarget %+v", k, a[k], b[k])
		}
	}
	if len(a) != len(b) {
		t.Errorf("the source has %d items, the target %d", len(a), len(b))
	}
}

// options note the last progress of each phase.
func options(at map[string]Progress) Options {
	return Options{Source: source, Progress: func(p Progress) { at[p.Phase] = p }, Now: func() time.Time { return noon.Add(time.Minute) }}
}

func TestCopy(t *testing.T) {
	from, to := full(t), empty(t)
	at := make(map[string]Progress)
	got, err := Copy(t.Context(), from, to, options(at))
	if err != nil {
		t.Fatal(err)
	}
	equals(t, from, to)
	want := Tally{Accounts: 2, Nodes: 1, Registrations: 142, Wakes: 2, Reasons: 2, Reporters: 1, Names: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n, err := Count(t.Context(), to); err != nil || n != want {
		t.Errorf("counted %+v, %v", n, err)
	}
	for phase, want := range map[string]Progress{
		Copying: {Copying, 147, 147, 0}, Checking: {Checking, 147, 147, 147}, Counting: {Counting, 148, 147, 147}, // with the marker
	} {
		if at[phase] != want {
			t.Errorf("got %+v, want %+v", at[phase], want)
		}
	}
	if of, err := Unfinished(t.Context(), to); err != nil || of != "" {
		t.Errorf("marked as %q, %v", of, err)
	}
}

// TestLeasesEnd: whoever sent when the source stopped does not any more.
func TestLeasesEnd(t *testing.T) {
	from, to := full(t), empty(t)
	if c, err := from.Claim(t.Context(), noon, 24*time.Hour, 9); err != nil || len(c) != 1 {
		t.Fatalf("claimed %v, %v", c, err)
	}
	if _, err := Copy(t.Context(), from, to, options(map[string]Progress{})); err != nil {
		t.Fatal(err)
	}
	if c, err := to.Claim(t.Context(), noon, time.Hour, 9); err != nil || len(c) != 1 || c[0].Owner != juliet {
		t.Errorf("due in the copy: %+v, %v", c, err)
	}
	if c, err := from.Claim(t.Context(), noon, time.Hour, 9); err != nil || len(c) != 0 {
		t.Errorf("due in the source: %+v, %v", c, err)
	}
}

// TestAges: stores may be late or early in taking away what is too old; a copy
// does not trip over that.
func TestAges(t *testing.T) {
	from, to := full(t), empty(t)
	old := noon.Add(-store.ReasonAge)
	put(t, from, store.Item{Owner: store.Owner{Key: "a@example.org", Account: session.Account{}.Clone()}, Reasons: []session.Reason{{At: old, Why: "old"}, {At: noon, Why: "young"}}})
	put(t, from, store.Item{Registration: session.Registration{Node: "lapsed", App: "a", Dead: "asked", Died: noon.Add(-store.TombstoneAge)}})
	put(t, from, store.Item{Reporter: store.Reporter{Host: "silent.example"}}) // says what its absence says
	if _, err := Copy(t.Context(), from, to, options(map[string]Progress{})); err != nil {
		t.Fatal(err)
	}
	got := everything(t, to)
	if r := got["a@example.org|||"].Reasons; len(r) != 1 || r[0].Why != "young" {
		t.Errorf("copied %+v", r)
	}
	if _, there := got["|lapsed||"]; there || len(got) != 148 {
		t.Errorf("what is void is in the copy, or something is not: %d items", len(got))
	}
}

// breaks fails at one write, before or after it is done: kill -9 as a store sees it.
type breaks struct {
	store.Store
	at    int
	after bool
}

var errBroken = errors.New("broken off")

func (b *breaks) write(do func() error) error {
	b.at--
	if b.at == 0 && !b.after {
		return errBroken
	}
	if err := do(); err != nil {
		return err
	}
	if b.at == 0 {
		return errBroken
	}
	return nil
}

func (b *breaks) Put(ctx context.Context, items []store.Item) error {
	return b.write(func() error { return b.Store.Put(ctx, items) })
}

func (b *breaks) EndLeases(ctx context.Context, process string) error {
	return b.write(func() error { return b.Store.EndLeases(ctx, process) })
}

func TestBrokenOffAnywhere(t *testing.T) {
	from := full(t)
	const writes = 1 + 2 + 1 + 1 // marker, batches, leases, marker
	for n := 1; n <= writes+1; n++ {
		for _, after := range []bool{false, true} {
			to := empty(t)
			_, err := Copy(t.Context(), from, &breaks{to, n, after}, options(map[string]Progress{}))
			if n > writes {
				if err != nil {
					t.Errorf("there is a write %d: %v", n, err)
				}
				continue
			}
			if !errors.Is(err, errBroken) {
				t.Fatalf("write %d: %v", n, err)
			}
			at := make(map[string]Progress)
			if _, err := Copy(t.Context(), from, to, options(at)); err != nil {
				if n == writes && after { // it was finished, and nobody was told
					if !strings.Contains(err.Error(), "not empty") {
						t.Errorf("a finished copy: %v", err)
					}
					continue
				}
				t.Fatalf("gone on after write %d: %v", n, err)
			}
			equals(t, from, to)
			done := n - 1 // writes, the marker among them
			if after {
				done++
			}
			if want := max(0, 147-max(0, done-1)*batch); at[Checking].Written != want {
				t.Errorf("write %d, after %v: %d items were written again, want %d", n, after, at[Checking].Written, want)
			}
		}
	}
}

func TestStopped(t *testing.T) {
	from, to := full(t), empty(t)
	for _, phase := range []string{Copying, Checking, Counting} {
		ctx, cancel := context.WithCancel(t.Context())
		o := options(map[string]Progress{})
		o.Progress = func(p Progress) {
			if p.Phase == phase {
				cancel()
			}
		}
		_, err := Copy(ctx, from, to, o)
		if !errors.Is(err, ErrStopped) {
			t.Errorf("%s: %v", phase, err)
		}
		if of, err := Unfinished(t.Context(), to); err != nil || of != source {
			t.Errorf("%s: marked as %q, %v", phase, of, err)
		}
	}
	if _, err := Copy(t.Context(), from, to, options(map[string]Progress{})); err != nil {
		t.Fatal(err)
	}
	equals(t, from, to)
}

func TestRefused(t *testing.T) {
	marked := store.Item{Name: Marker, Value: source}
	for name, tt := range map[string]struct {
		from, to []store.Item
		want     string
	}{
		"not empty":         {nil, []store.Item{{Reporter: store.Reporter{Host: "example.org", Seq: 1}}}, "the target is not empty"},
		"a copy of another": {nil, []store.Item{{Name: Marker, Value: "redis://host:6379"}}, "the target is an unfinished copy of another store: redis://host:6379"},
		"another node key":  {nil, []store.Item{marked, {Name: nodeKey, Value: "g"}}, "the target is an unfinished copy of a store with another node key"},
		"of a copy":         {[]store.Item{{Name: Marker, Value: "sqlite:a"}}, nil, "the source is itself an unfinished copy, of sqlite:a"},
		"grown since":       {nil, []store.Item{marked, registration(1000)}, "the registration node10… is in the copy, and not so in the source"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := full(t), empty(t)
			put(t, from, tt.from...)
			put(t, to, tt.to...)
			_, err := Copy(t.Context(), from, to, options(map[string]Progress{}))
			var e *Error
			if !errors.As(err, &e) || e.Cause != tt.want || e.Hint() == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// careless is a store that does not keep everything as it was told to.
type careless struct {
	store.Store
	change func(*store.Item) bool // false: it is lost
}

func (c careless) Put(ctx context.Context, items []store.Item) error {
	var kept []store.Item
	for _, i := range items {
		if c.change(&i) {
			kept = append(kept, i)
		}
	}
	return c.Store.Put(ctx, kept)
}

func TestDifferencesAreFound(t *testing.T) {
	from := full(t)
	put(t, from, store.Item{Name: "note", Value: "f"})
	on := func(key string, change func(*store.Item) bool) func(*store.Item) bool {
		return func(i *store.Item) bool {
			if key == i.Owner.Key+i.Registration.Node+i.Reporter.Host+i.Name {
				i.Owner.Account = i.Owner.Account.Clone()
				return change(i)
			}
			return true
		}
	}
	lost := func(*store.Item) bool { return false }
	for name, tt := range map[string]struct {
		change func(*store.Item) bool
		want   string
	}{
		"account lost":      {on(juliet, lost), "the account juliet@example.org is not in the copy"},
		"empty one lost":    {on("nobody@example.org", lost), "the account nobody@example.org is not in the copy"},
		"node owner lost":   {on("node:node0002", lost), "the state of the registration node00… is not in the copy"},
		"registration lost": {on("node0139", lost), "the registration node01… is not in the copy"},
		"tombstone lost":    {on("node-gone", lost), "the registration node-g… is not in the copy"},
		"reporter lost":     {on("example.org", lost), "how far the module of example.org has come is not in the copy"},
		"name lost":         {on(nodeKey, lost), "what is kept as node-key is not in the copy"},
		"another token": {on("node0007", func(i *store.Item) bool { i.Registration.Token += "x"; return true }),
			"the registration node00… is not the same in the copy"},
		"another time": {on("node0007", func(i *store.Item) bool { i.Registration.Updated = noon.Add(1); return true }),
			"the registration node00… is not the same in the copy"},
		"another value": {on("note", func(i *store.Item) bool { i.Value = "g"; return true }), "what is kept as note is not the same in the copy"},
		"another seq": {on("example.org", func(i *store.Item) bool { i.Reporter.Seq++; return true }),
			"how far the module of example.org has come is not the same in the copy"},
		"a reason less": {on(juliet, func(i *store.Item) bool { i.Reasons = i.Reasons[1:]; return true }), "the account juliet@example.org is not the same in the copy"},
		"another serial": {on(juliet, func(i *store.Item) bool { i.Owner.Account.Serial++; return true }),
			"the account juliet@example.org is not the same in the copy"},
		"a wake less": {on(juliet, func(i *store.Item) bool {
			for k := range i.Owner.Account.Pending {
				delete(i.Owner.Account.Pending, k)
				break
			}
			return true
		}), "the account juliet@example.org is not the same in the copy"},
		"a wake later": {on(juliet, func(i *store.Item) bool {
			for k, w := range i.Owner.Account.Pending {
				w.Due = w.Due.Add(1)
				i.Owner.Account.Pending[k] = w
			}
			return true
		}), "the account juliet@example.org is not the same in the copy"},
	} {
		t.Run(name, func(t *testing.T) {
			to := empty(t)
			_, err := Copy(t.Context(), from, careless{to, tt.change}, options(map[string]Progress{}))
			var e *Error
			if !errors.As(err, &e) || e.Cause != tt.want || strings.Contains(e.Cause+e.Remedy, token) {
				t.Fatalf("got %v", err)
			}
			// The same again, into a store that is in order, puts it right.
			if _, err := Copy(t.Context(), from, to, options(map[string]Progress{})); err != nil {
				t.Fatal(err)
			}
			equals(t, from, to)
		})
	}
}
