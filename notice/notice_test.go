package notice

import (
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	entry := map[string]string{"uid": "juliet", "odd": "o'hara", "slash": "a/b", "mail": "Juliet@Example.ORG", "many words": "x"}
	get := func(attr string) string { return entry[attr] }
	for _, c := range []struct{ template, address, wrong string }{
		{"{uid}@example.org", "juliet@example.org", ""},
		{"{UID}@example.org", "juliet@example.org", ""},
		{"{mail}", "juliet@example.org", ""},
		{"{odd}@example.org", `o\27hara@example.org`, ""},  // XEP-0106
		{"{slash}@example.org", `a\2fb@example.org`, ""},   // and not a resource
		{"{slash}", "", "no address"},                      // an address by itself is not escaped
		{"{jid}@example.org", "", "the entry has no jid"},  // nothing is made up
		{"x-{uid}@{uid}.test", "x-juliet@juliet.test", ""}, // several
		{"{uid}", "", `"juliet" is no address`},            // a domain is nobody
		{"{uid}@exa mple.org", "", "is no address"},        //
	} {
		got, err := Template(c.template).Address(get)
		if got != c.address || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %q, %v", c.template, got, err)
		}
	}
	for template, wrong := range map[string]string{"{uid}@example.org": "", "{mail}": "", "uid@example.org": "names no attribute", "{uid@example.org": "names no attribute", "{uid}{@x": "braces"} {
		if err := Template(template).Check(); (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", template, err)
		}
	}
}

func TestAudience(t *testing.T) {
	for _, c := range []struct {
		kind   string
		except []string
		want   Audience
	}{
		{"password.expiring", nil, Audience{Person: true}},
		{"user.disabled", nil, Audience{Person: true, Admins: true}},
		{"user.disabled", []string{"group.*", "user.d*"}, Audience{}},
		{"user.disabled", []string{"user"}, Audience{Person: true, Admins: true}},
		{"made.up", nil, Audience{Person: true, Managers: true, Admins: true}}, // of others
		{"made.up", []string{"*"}, Audience{}},
	} {
		if got := AudienceOf(&Notice{Source: fromDirectory, Kind: c.kind}, c.except); got != c.want {
			t.Errorf("%s except %q: %+v", c.kind, c.except, got)
		}
	}
}
