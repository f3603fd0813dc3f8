package directory

import "strings"

// Layout says where in a directory which entries are. DNs are compared without regard
// to case and blanks.
type Layout struct {
	Suffix    string
	Staged    string // below it are users to be; empty: there are none
	Preserved string // and users that were deleted and kept
	Ignored   []string
}

// FreeIPA is the layout that FreeIPA has below its suffix.
func FreeIPA(suffix string) Layout {
	return Layout{
		Suffix:    suffix,
		Staged:    "cn=staged users,cn=accounts,cn=provisioning," + suffix,
		Preserved: "cn=deleted users,cn=accounts,cn=provisioning," + suffix,
		Ignored: []string{"cn=compat," + suffix, "cn=etc," + suffix, "cn=dns," + suffix, "cn=changelog," + suffix,
			"cn=ipausers,cn=groups,cn=accounts," + suffix}, // everybody is in it
	}
}

// Type says what an entry is, by its place and its object classes.
func (l Layout) Type(dn string, classes []string) Type {
	for _, base := range l.Ignored {
		if Below(dn, base) {
			return Other
		}
	}
	has := func(names ...string) bool {
		for _, class := range classes {
			for _, name := range names {
				if strings.EqualFold(class, name) {
					return true
				}
			}
		}
		return false
	}
	switch {
	case has("mepManagedEntry"):
		return Private
	case l.Staged != "" && Below(dn, l.Staged):
		return Staged
	case l.Preserved != "" && Below(dn, l.Preserved):
		return Preserved
	case has("ipaHost", "device"):
		return Host
	case has("ipaHostGroup"):
		return HostGroup
	case has("ipaService"):
		return Service
	case has("krbPwdPolicy"):
		return Policy
	case has("groupOfNames", "groupOfUniqueNames", "posixGroup", "ipaUserGroup"):
		return Group
	case has("posixAccount", "inetOrgPerson"):
		return User
	}
	return Other
}

// Below reports whether a DN is below a base, or is it.
func Below(dn, base string) bool {
	dn, base = Fold(dn), Fold(base)
	return dn == base || base == "" || strings.HasSuffix(dn, ","+base)
}

// Fold makes of DNs that are the same the same text, but for escapes that differ
// (RFC 4514 §2.4): servers write theirs always alike.
func Fold(dn string) string {
	if !strings.ContainsAny(dn, " ") {
		return strings.ToLower(dn)
	}
	parts := strings.Split(strings.ToLower(dn), ",")
	for i, p := range parts {
		name, value, found := strings.Cut(strings.TrimSpace(p), "=")
		if found {
			p = strings.TrimSpace(name) + "=" + strings.TrimSpace(value)
		}
		parts[i] = p
	}
	return strings.Join(parts, ",")
}
