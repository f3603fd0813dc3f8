package follow

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
	"rouse/directory/snapshot"
)

// model is the snapshot in memory, and what is to be written of it.
type model struct {
	layout  directory.Layout
	options directory.Options
	entries map[string]*directory.Entry    // by Sync
	next    map[*directory.Entry]time.Time // when something of it runs out; of those that were looked at
	failing map[*directory.Entry]bool      // users with failed logins
	policy  map[string]*directory.Entry    // of passwords, by ID
	crosses bool                           // a refresh of another server than before: its counts of failed logins are no news
	hidden  map[string]bool                // attributes that are not shown any more, which is not believed
	kept    map[string]bool                // attributes, in lower case
	byID    map[string]*directory.Entry
	byDN    map[string]*directory.Entry // folded
	byUID   map[string]*directory.Entry // users
	groups  map[string]*directory.Entry // by ID
	unknown bool                        // a group may have a member that nobody knows

	step snapshot.Step // that is not committed
}

func load(ctx context.Context, db *snapshot.DB, layout directory.Layout, o directory.Options) (*model, error) {
	m := newModel(layout, o)
	return m, db.Entries(ctx, func(e *directory.Entry) error {
		m.add(e)
		return nil
	})
}

func newModel(layout directory.Layout, o directory.Options) *model {
	return &model{layout: layout, options: o, kept: wanted(), hidden: make(map[string]bool), next: make(map[*directory.Entry]time.Time), failing: make(map[*directory.Entry]bool), policy: make(map[string]*directory.Entry), entries: make(map[string]*directory.Entry), byID: make(map[string]*directory.Entry),
		byDN: make(map[string]*directory.Entry), byUID: make(map[string]*directory.Entry), groups: make(map[string]*directory.Entry)}
}

// Name is part of directory.View.
func (m *model) Name(id string) string {
	if e := m.byID[id]; e != nil {
		return e.Name()
	}
	return ""
}

// Lockout is part of directory.View: by the policy of the group of the user's that
// comes first, else the global one (krbPwdPolicy, cosPriority).
func (m *model) Lockout(user *directory.Entry) directory.Lockout {
	var best *directory.Entry
	for _, e := range m.policy {
		if e.Name() == "global_policy" {
			if best == nil {
				best = e
			}
			continue
		}
		for _, g := range m.groups {
			if strings.EqualFold(g.Name(), e.Name()) && slices.Contains(g.Members, user.ID) &&
				(best == nil || best.Name() == "global_policy" || e.Int("cospriority") < best.Int("cospriority")) {
				best = e
			}
		}
	}
	if best == nil || best.Get("krbpwdmaxfailure") == "" {
		return directory.DefaultLockout
	}
	return directory.LockoutOf(best)
}

func (m *model) add(e *directory.Entry) {
	delete(m.next, m.entries[e.Sync])
	delete(m.failing, m.entries[e.Sync])
	m.entries[e.Sync], m.byID[e.ID], m.byDN[directory.Fold(e.DN)] = e, e, e
	switch e.Type {
	case directory.Group, directory.HostGroup:
		m.groups[e.ID] = e
		m.unknown = m.unknown || slices.ContainsFunc(e.Members, unresolved)
	case directory.User:
		m.byUID[e.Get("uid")] = e
		if e.Int("krbloginfailedcount") > 0 {
			m.failing[e] = true
		}
	case directory.Policy:
		m.policy[e.ID] = e
	}
}

func (m *model) remove(e *directory.Entry) {
	delete(m.entries, e.Sync)
	delete(m.next, e)
	delete(m.failing, e)
	if m.byID[e.ID] == e {
		delete(m.byID, e.ID)
		delete(m.groups, e.ID)
		delete(m.policy, e.ID)
	}
	if dn := directory.Fold(e.DN); m.byDN[dn] == e {
		delete(m.byDN, dn)
	}
	if uid := e.Get("uid"); m.byUID[uid] == e {
		delete(m.byUID, uid)
	}
}

// observed makes an entry of what a server sent; nil: it is of no interest.
func (m *model) observed(uuid []byte, sent *ldap.Entry) *directory.Entry {
	e := &directory.Entry{Sync: hex.EncodeToString(uuid), DN: sent.DN, Attrs: make(map[string][]string)}
	for _, a := range sent.Attributes {
		name := strings.ToLower(a.Name)
		if !m.kept[name] || len(a.ByteValues) == 0 {
			continue // a server may send more than was asked for
		}
		values := slices.Clone(a.Values)
		if strings.HasPrefix(name, "usercertificate") {
			for i, der := range a.ByteValues {
				values[i] = base64.StdEncoding.EncodeToString(der)
			}
		}
		slices.Sort(values)
		e.Attrs[name] = values
	}
	e.Type = m.layout.Type(e.DN, e.Attrs["objectclass"])
	if e.Type == directory.Other || e.Type == directory.Private {
		return nil
	}
	e.ID = e.Sync
	for _, name := range []string{"entryuuid", "ipauniqueid"} {
		if v := e.Get(name); v != "" && v != "autogenerate" {
			e.ID = strings.ToLower(v)
		}
	}
	return e
}

func wanted() map[string]bool {
	m := make(map[string]bool)
	for _, name := range directory.Attributes() {
		m[strings.ToLower(name)] = true
	}
	return m
}

const unknownMember = "dn:"

func unresolved(id string) bool { return strings.HasPrefix(id, unknownMember) }

// resolve has a group name its members by their IDs, which survive that they are
// renamed, and lets go of their DNs.
func (m *model) resolve(e *directory.Entry) {
	if e.Type != directory.Group && e.Type != directory.HostGroup {
		return
	}
	for _, attr := range []string{"member", "uniquemember"} {
		for _, dn := range e.Attrs[attr] {
			dn = directory.Fold(dn)
			if o := m.byDN[dn]; o != nil {
				e.Members = append(e.Members, o.ID)
			} else {
				e.Members = append(e.Members, unknownMember+dn)
			}
		}
	}
	for _, uid := range e.Attrs["memberuid"] {
		if o := m.byUID[uid]; o != nil {
			e.Members = append(e.Members, o.ID)
		} else {
			e.Members = append(e.Members, unknownMember+"uid="+uid)
		}
	}
	delete(e.Attrs, "member")
	delete(e.Attrs, "uniquemember")
	delete(e.Attrs, "memberuid")
	slices.Sort(e.Members)
	e.Members = slices.Compact(e.Members)
}

// known has groups name by its ID a member that came after them.
func (m *model) known(e *directory.Entry) {
	if !m.unknown {
		return
	}
	names := []string{unknownMember + directory.Fold(e.DN)}
	if e.Type == directory.User {
		names = append(names, unknownMember+"uid="+e.Get("uid"))
	}
	for _, g := range m.groups {
		for i, id := range g.Members {
			if slices.Contains(names, id) {
				changed := *g
				changed.Members = slices.Clone(g.Members)
				changed.Members[i] = e.ID
				slices.Sort(changed.Members)
				m.add(&changed)
				m.step.Put = append(m.step.Put, &changed)
				g = &changed
			}
		}
	}
}

// see takes in the new state of an entry; nil that it is gone. Quietly: it was so all
// the time.
func (m *model) see(sync string, e *directory.Entry, quietly bool, now time.Time) {
	old := m.entries[sync]
	if e != nil {
		m.resolve(e)
		if other := m.byID[e.ID]; old == nil && other != nil { // the server counts anew, as after an import
			old = other
		}
	}
	if old != nil && e != nil {
		m.keep(old, e)
	}
	switch {
	case old == nil && e == nil, old != nil && e != nil && old.Sync == e.Sync && old.Equal(e):
		return
	case old != nil && (e == nil || old.Sync != e.Sync):
		m.step.Drop = append(m.step.Drop, old.Sync)
	}
	if before := old; !quietly {
		if m.crosses && old != nil && e != nil && e.Type == directory.User {
			before = counting(old, e)
		}
		m.step.Events = append(m.step.Events, directory.Diff(m, m.options, before, e, now)...)
	}
	if old != nil {
		m.remove(old)
	}
	if old != nil && old.Type == directory.Group || e != nil && e.Type == directory.Group {
		clear(m.next) // members may be warned on other days
	}
	if e != nil {
		m.add(e)
		m.step.Put = append(m.step.Put, e)
		m.known(e)
	}
}

// counts are what each FreeIPA server keeps of failed logins for itself.
var counts = []string{"krbloginfailedcount", "krblastfailedauth"}

// counting gives an entry with the counts of another state of it.
func counting(e, other *directory.Entry) *directory.Entry {
	c := *e
	c.Attrs = maps.Clone(e.Attrs)
	for _, name := range counts {
		if v, ok := other.Attrs[name]; ok {
			c.Attrs[name] = v
		} else {
			delete(c.Attrs, name)
		}
	}
	return &c
}
