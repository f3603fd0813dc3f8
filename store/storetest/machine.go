package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rouse/session"
	"rouse/store"
)

// model is a store as one would write it down if nothing could go wrong.
type model struct {
	owners        map[string]*modelOwner
	registrations map[string]session.Registration
	reporters     map[string]store.Reporter
	kept          map[string]string
	given         map[uint64]bool // versions, of all owners that ever were
	now           time.Time
}

type modelOwner struct {
	version uint64
	account session.Account // with Pending
	reasons []session.Reason
}

func (m *model) due(now time.Time) (out []store.Claimed) {
	for k, o := range m.owners {
		for wk, w := range o.account.Pending {
			if !w.Due.After(now) {
				out = append(out, store.Claimed{Owner: k, Key: wk, Wake: w})
			}
		}
	}
	slices.SortFunc(out, urgent)
	return out
}

// urgent is the order of claims. Wakes of one class that fall due together are equal.
func urgent(a, b store.Claimed) int {
	return cmp.Or(-cmp.Compare(a.Key.Class, b.Key.Class), a.Wake.Due.Compare(b.Wake.Due))
}

// machine does the same to a store and to the model until they disagree.
func machine(t *testing.T, open func(*testing.T) store.Store, reopen func(*testing.T, store.Store) store.Store) {
	rapid.Check(t, func(r *rapid.T) {
		s := open(t)
		defer func() { s.Close() }()
		m := &model{make(map[string]*modelOwner), make(map[string]session.Registration), make(map[string]store.Reporter), make(map[string]string), map[uint64]bool{0: true}, noon}
		actions := map[string]func(*rapid.T){
			"look":     func(r *rapid.T) { m.agree(r, s) },
			"commit":   func(r *rapid.T) { m.commit(r, s) },
			"stale":    func(r *rapid.T) { m.stale(r, s) },
			"forget":   func(r *rapid.T) { m.forget(r, s) },
			"claim":    func(r *rapid.T) { m.claim(r, s) },
			"register": func(r *rapid.T) { m.register(r, s) },
			"bury":     func(r *rapid.T) { m.bury(r, s) },
			"depart":   func(r *rapid.T) { m.unregister(r, s) },
			"report":   func(r *rapid.T) { m.report(r, s) },
			"keep":     func(r *rapid.T) { m.keep(r, s) },
			"wait": func(r *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(r, "seconds")) * time.Second)
			},
		}
		if reopen != nil {
			actions["reopen"] = func(*rapid.T) { s = reopen(t, s) }
		}
		r.Repeat(actions)
		m.agree(r, s)
		if err := s.Verify(r.Context()); err != nil {
			r.Fatalf("Verify: %v", err)
		}
	})
}

var (
	someKeys  = rapid.SampledFrom([]string{juliet, romeo, nurse, store.NodeKey("n1"), "example.org"})
	someNodes = rapid.SampledFrom([]string{"", "n1", "n2"})
)

func someAddress(r *rapid.T) session.Address {
	return session.Address{Service: rapid.SampledFrom([]string{"push.example.org", "p.example"}).Draw(r, "service"), Node: someNodes.Draw(r, "node")}
}

func (m *model) someAccount(r *rapid.T) session.Account {
	a := session.Account{Serial: rapid.Uint64().Draw(r, "serial")}
	a = a.Clone()
	for i := range rapid.IntRange(0, 3).Draw(r, "sessions") {
		a.Sessions[fmt.Sprint(i)] = session.Session{State: session.State(rapid.IntRange(0, int(session.NumStates)-1).Draw(r, "state")), Out: rapid.Uint64().Draw(r, "out"), Told: session.Mark{Epoch: rapid.Uint64().Draw(r, "epoch"), Seq: rapid.Uint64().Draw(r, "seq")}}
	}
	for range rapid.IntRange(0, 2).Draw(r, "endpoints") {
		a.Endpoints[someAddress(r)] = session.Endpoint{Enabled: m.now, Resource: rapid.String().Draw(r, "resource")}
	}
	return a
}

func (m *model) commit(r *rapid.T, s store.Store) {
	c := store.Commit{Key: someKeys.Draw(r, "key"), Account: m.someAccount(r), Put: make(wakes)}
	o := m.owners[c.Key]
	if o == nil {
		o = &modelOwner{account: session.Account{}.Clone()}
		m.owners[c.Key] = o
	}
	c.Version = o.version
	pending := maps.Clone(o.account.Pending)
	for range rapid.IntRange(0, 2).Draw(r, "drop") {
		k := session.WakeKey{Address: someAddress(r), Class: session.Class(rapid.IntRange(1, int(session.NumClasses)-1).Draw(r, "class"))}
		c.Drop = append(c.Drop, k)
		delete(pending, k)
	}
	for range rapid.IntRange(0, 3).Draw(r, "put") {
		k := session.WakeKey{Address: someAddress(r), Class: session.Class(rapid.IntRange(1, int(session.NumClasses)-1).Draw(r, "class"))}
		if slices.Contains(c.Drop, k) {
			continue
		}
		w := session.Wake{Serial: rapid.Uint64().Draw(r, "wake"), Count: rapid.IntRange(1, 9).Draw(r, "count"), Rule: "b", Since: m.now,
			Due: m.now.Add(time.Duration(rapid.IntRange(-60, 60).Draw(r, "due")) * time.Second)}
		c.Put[k], pending[k] = w, w
	}
	for i := range rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 90}).Draw(r, "reasons") {
		c.Reasons = append(c.Reasons, session.Reason{At: m.now.Add(time.Duration(i)), Event: session.CSI, Verdict: session.Quiet, Why: fmt.Sprint(len(o.reasons), i)})
	}
	v, err := s.Commit(r.Context(), c)
	if err != nil {
		r.Fatalf("Commit: %v", err)
	}
	m.fresh(r, v)
	c.Account.Pending = pending
	*o = modelOwner{v, c.Account, append(o.reasons, c.Reasons...)}
	o.reasons = o.reasons[max(0, len(o.reasons)-store.MaxReasons):]
}

func (m *model) fresh(r *rapid.T, version uint64) {
	if m.given[version] {
		r.Fatalf("version %d was given before", version)
	}
	m.given[version] = true
}

func (m *model) stale(r *rapid.T, s store.Store) {
	c := store.Commit{Key: someKeys.Draw(r, "key"), Version: rapid.Uint64Range(0, 40).Draw(r, "version"), Account: m.someAccount(r),
		Put: wakes{key("stray", session.Call): at(0)}, Reasons: []session.Reason{{At: m.now, Why: "stray"}}, Forget: rapid.Bool().Draw(r, "forget")}
	now := uint64(0)
	if o := m.owners[c.Key]; o != nil {
		now = o.version
	}
	if c.Version == now {
		return
	}
	if _, err := s.Commit(r.Context(), c); !errors.Is(err, store.ErrConflict) {
		r.Fatalf("Commit of version %d at version %d: %v", c.Version, now, err)
	}
}

func (m *model) forget(r *rapid.T, s store.Store) {
	k := someKeys.Draw(r, "key")
	o := m.owners[k]
	if o == nil {
		return
	}
	if v, err := s.Commit(r.Context(), store.Commit{Key: k, Version: o.version, Forget: true}); err != nil || v != 0 {
		r.Fatalf("Forget: %d, %v", v, err)
	}
	delete(m.owners, k)
}

func (m *model) claim(r *rapid.T, s store.Store) {
	lease, limit := time.Duration(rapid.IntRange(1, 60).Draw(r, "lease"))*time.Second, rapid.IntRange(0, 6).Draw(r, "max")
	want := m.due(m.now)
	want = want[:min(limit, len(want))]
	got, err := s.Claim(r.Context(), m.now, lease, limit)
	if err != nil || len(got) != len(want) {
		r.Fatalf("claimed %v, %v, want %v", got, err, want)
	}
	claimed := make(map[string]bool)
	for i, c := range got {
		o := m.owners[c.Owner]
		if o == nil {
			r.Fatalf("claimed %+v, of an owner who is not there", c)
		}
		w, found := o.account.Pending[c.Key]
		if !found || urgent(want[i], store.Claimed{Key: c.Key, Wake: w}) != 0 {
			r.Fatalf("claimed %+v at place %d, want one like %+v", c, i, want[i])
		}
		w.Due, w.Lease, w.Sent = m.now.Add(lease), m.now.Add(lease), w.Count
		if c.Wake != w {
			r.Fatalf("claimed %+v, want %+v", c.Wake, w)
		}
		o.account.Pending[c.Key] = w
		claimed[c.Owner] = true
	}
	for k := range claimed {
		m.owners[k].version = load(r, s, k).Version
		m.fresh(r, m.owners[k].version)
	}
}

func (m *model) register(r *rapid.T, s store.Store) {
	d := session.Registration{Node: someNodes.Filter(func(n string) bool { return n != "" }).Draw(r, "node"), App: rapid.String().Draw(r, "app"), Token: "t", Device: "d",
		Domain: "example.org", Updated: m.now}
	if err := s.Register(r.Context(), d); err != nil {
		r.Fatalf("Register: %v", err)
	}
	m.registrations[d.Node] = d
}

func (m *model) bury(r *rapid.T, s store.Store) {
	node, when := someNodes.Draw(r, "node"), m.now.Add(time.Duration(rapid.IntRange(-90, 0).Draw(r, "ago"))*time.Second)
	d, found := m.registrations[node]
	if found && d.Live() && !d.Updated.After(when) {
		d.Dead, d.Died = "apns: 410", when
		m.registrations[node] = d
	}
	if got, err := s.Bury(r.Context(), node, "apns: 410", when); (found && (err != nil || got != d)) || (!found && !errors.Is(err, store.ErrNotFound)) {
		r.Fatalf("Bury gives %+v, %v, want %+v", got, err, d)
	}
}

func (m *model) unregister(r *rapid.T, s store.Store) {
	node := someNodes.Draw(r, "node")
	d, found := m.registrations[node]
	if found && d.Token != "" {
		d.Dead, d.Died, d.Token, d.Device = "asked", m.now, "", ""
		m.registrations[node] = d
	}
	if err := s.Unregister(r.Context(), node, "asked", m.now); found != (err == nil) {
		r.Fatalf("Unregister: %v", err)
	}
}

func (m *model) report(r *rapid.T, s store.Store) {
	rep := store.Reporter{Host: rapid.SampledFrom([]string{"example.org", "h"}).Draw(r, "host"), Epoch: rapid.Uint64().Draw(r, "epoch"), Seq: rapid.Uint64().Draw(r, "seq"), Picture: rapid.Uint64().Draw(r, "picture")}
	before := m.reporters[rep.Host]
	before.Host = rep.Host
	if err := s.SetReporter(r.Context(), before, rep); err != nil {
		r.Fatalf("SetReporter: %v", err)
	}
	m.reporters[rep.Host] = rep
}

func (m *model) keep(r *rapid.T, s store.Store) {
	name, value := rapid.SampledFrom([]string{"a", "b"}).Draw(r, "name"), rapid.String().Draw(r, "value")
	want := m.kept[name]
	if want == "" { // also if an empty value was offered before: that keeps nothing
		want = value
		m.kept[name] = value
	}
	if got, err := s.Keep(r.Context(), name, value); err != nil || got != want {
		r.Fatalf("Keep gives %q, %v, want %q", got, err, want)
	}
}

// agree compares all that can be asked.
func (m *model) agree(r *rapid.T, s store.Store) {
	want := store.Counts{Sessions: make(map[session.State]int)}
	hosts := make(map[string][]string)
	for _, k := range []string{juliet, romeo, nurse, store.NodeKey("n1"), "example.org"} {
		o := m.owners[k]
		if o == nil {
			o = &modelOwner{account: session.Account{}.Clone()}
		} else {
			hosts[store.Host(k)] = append(hosts[store.Host(k)], k)
		}
		got := load(r, s, k)
		if got.Version != o.version || !reflect.DeepEqual(got.Account, o.account) {
			r.Fatalf("%s\n got %d %+v\nwant %d %+v", k, got.Version, got.Account, o.version, o.account)
		}
		if lines := record(r, s, k, time.Time{}); len(lines) != len(o.reasons) || (len(lines) > 0 && !reflect.DeepEqual(lines, o.reasons)) {
			r.Fatalf("%s has %d reasons, want %d", k, len(lines), len(o.reasons))
		}
		for _, v := range o.account.Sessions {
			want.Sessions[v.State]++
		}
		want.Endpoints += len(o.account.Endpoints)
		want.Pending += len(o.account.Pending)
		for _, w := range o.account.Pending {
			if want.OldestDue.IsZero() || w.Due.Before(want.OldestDue) {
				want.OldestDue = w.Due
			}
		}
	}
	got, err := s.Counts(r.Context())
	maps.DeleteFunc(got.Sessions, func(_ session.State, n int) bool { return n == 0 })
	if err != nil || !reflect.DeepEqual(got, want) {
		r.Fatalf("counts %+v, %v, want %+v", got, err, want)
	}
	kinds := make(map[store.RegistrationKind]int)
	for _, d := range m.registrations {
		if d.Token != "" {
			kinds[store.RegistrationKind{App: d.App, Dead: !d.Live()}]++
		}
	}
	if got, err := s.CountRegistrations(r.Context()); err != nil || !reflect.DeepEqual(got, kinds) {
		r.Fatalf("registrations %v, %v, want %v", got, err, kinds)
	}
	if due, some, err := s.NextDue(r.Context()); err != nil || some != (want.Pending > 0) || !due.Equal(want.OldestDue) {
		r.Fatalf("next due %v, %v, %v, want %v", due, some, err, want.OldestDue)
	}
	for _, host := range []string{"example.org", "capulet.example"} {
		var keys []string
		for k, err := range s.Owners(r.Context(), host) {
			if err != nil {
				r.Fatalf("Owners: %v", err)
			}
			keys = append(keys, k)
		}
		slices.Sort(keys)
		slices.Sort(hosts[host])
		if !slices.Equal(keys, hosts[host]) {
			r.Fatalf("owners of %s: %v, want %v", host, keys, hosts[host])
		}
	}
	for _, node := range []string{"", "n1", "n2"} {
		d, found := m.registrations[node]
		if got, err := s.Registration(r.Context(), node); got != d || found != (err == nil) {
			r.Fatalf("registration %+v, %v, want %+v", got, err, d)
		}
	}
	for _, host := range []string{"example.org", "h"} {
		rep := m.reporters[host]
		rep.Host = host
		if got, err := s.Reporter(r.Context(), host); err != nil || got != rep {
			r.Fatalf("reporter %+v, %v, want %+v", got, err, rep)
		}
	}
}
