package follow

import (
	"slices"
	"testing"

	"rouse/directory"
)

// TestManagers: users and members of groups that manage a host, a service or a group;
// nobody manages a user here.
func TestManagers(t *testing.T) {
	m := newModel(directory.FreeIPA("dc=x"), directory.Options{})
	entry := func(kind directory.Type, name string, attrs map[string][]string, members ...string) {
		if attrs == nil {
			attrs = make(map[string][]string)
		}
		attrs[map[directory.Type]string{directory.User: "uid", directory.Group: "cn", directory.Host: "fqdn"}[kind]] = []string{name}
		m.add(&directory.Entry{ID: name, Sync: name, DN: "cn=" + name + ",dc=x", Type: kind, Attrs: attrs, Members: members})
	}
	entry(directory.User, "juliet", map[string][]string{"manager": {"cn=nurse,dc=x"}})
	entry(directory.User, "nurse", nil)
	entry(directory.User, "romeo", nil)
	entry(directory.Group, "ops", nil, "romeo", "juliet", "inner")
	entry(directory.Group, "inner", nil, "nurse")
	entry(directory.Host, "web.x", map[string][]string{"managedby": {"CN=Nurse, dc=x", "cn=web.x,dc=x", "cn=gone,dc=x"}})
	entry(directory.Group, "crew", map[string][]string{"membermanager": {"cn=ops,dc=x", "cn=romeo,dc=x"}})
	f := &Follower{model: m}
	for id, want := range map[string][]string{"web.x": {"nurse"}, "crew": {"juliet", "nurse", "romeo"}, "juliet": nil, "nobody": nil} {
		if got := f.Managers(id); !slices.Equal(got, want) {
			t.Errorf("%s is managed by %q, want %q", id, got, want)
		}
	}
}
