package directory

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is what an entry is.
type Type string

const (
	User      Type = "user"
	Staged    Type = "staged"    // a user to be (FreeIPA)
	Preserved Type = "preserved" // a user that was deleted and kept (FreeIPA)
	Group     Type = "group"
	Private   Type = "private" // the group that FreeIPA makes for each user: of no interest
	Host      Type = "host"
	HostGroup Type = "hostgroup"
	Service   Type = "service"
	Policy    Type = "policy" // of passwords
	Other     Type = ""
)

// Person reports whether it stands for a person.
func (t Type) Person() bool { return t == User || t == Staged || t == Preserved }

// Entry is one as it was observed.
type Entry struct {
	ID      string              `json:"id"`   // the same for ever: ipaUniqueID, else entryUUID, else Sync
	Sync    string              `json:"sync"` // UUID by which the server's stream names it (RFC 4533 §2.1), in hex
	DN      string              `json:"dn"`   // as the server writes it
	Type    Type                `json:"type"`
	Members []string            `json:"members,omitempty"` // IDs of a group's members, sorted; "dn:…" of one that is not known
	Attrs   map[string][]string `json:"attrs"`             // of Attributes, names in lower case, values sorted; certificates in base64
}

// Get gives the only value of an attribute, or the first.
func (e *Entry) Get(name string) string {
	if v := e.Attrs[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Name is what people call it: uid, cn, fqdn or principal, else its RDN.
func (e *Entry) Name() string {
	name := "cn"
	switch e.Type {
	case User, Staged, Preserved:
		name = "uid"
	case Host:
		name = "fqdn"
	case Service:
		name = "krbprincipalname"
	}
	if v := e.Get(name); v != "" {
		return v
	}
	rdn, _, _ := strings.Cut(e.DN, ",")
	_, value, _ := strings.Cut(rdn, "=")
	return value
}

// Time reads a generalized time (RFC 4517 §3.3.13); zero: there is none, or it is
// none.
func (e *Entry) Time(name string) time.Time { return parseTime(e.Get(name)) }

func parseTime(s string) time.Time {
	for _, format := range []string{"20060102150405Z", "20060102150405.999999Z", "200601021504Z", "20060102150405Z0700"} {
		if t, err := time.Parse(format, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Int reads a number; 0: there is none.
func (e *Entry) Int(name string) int {
	n, _ := strconv.Atoi(e.Get(name))
	return n
}

// Has reports whether an attribute has a value, whatever its case.
func (e *Entry) Has(name, value string) bool {
	return slices.ContainsFunc(e.Attrs[name], func(v string) bool { return strings.EqualFold(v, value) })
}

// Disabled reports whether somebody locked the account for good: nsAccountLock
// (389-DS, FreeIPA), or a pwdAccountLockedTime that no time ends (ppolicy).
func (e *Entry) Disabled() bool {
	return e.Has("nsaccountlock", "true") || e.Get("pwdaccountlockedtime") == forever
}

// forever is what pwdAccountLockedTime says of an account that only an administrator
// unlocks (draft-behera-ldap-password-policy §5.3.3).
const forever = "000001010000Z"

// Equal reports whether nothing differs that is kept of them.
func (e *Entry) Equal(o *Entry) bool {
	if e.DN != o.DN || e.Type != o.Type || e.ID != o.ID || len(e.Attrs) != len(o.Attrs) || !slices.Equal(e.Members, o.Members) {
		return false
	}
	for name, values := range e.Attrs {
		if !slices.Equal(values, o.Attrs[name]) {
			return false
		}
	}
	return true
}

// Attributes are what is asked for, and all that is kept. Keys and passwords are not
// among them.
func Attributes() []string {
	return []string{
		"objectClass", "uid", "cn", "givenName", "sn", "displayName", "mail", "telephoneNumber", "mobile", "loginShell", "homeDirectory", "uidNumber", "gidNumber",
		"employeeNumber", "manager", "ipaSshPubKey", "description", "member", "uniqueMember", "memberUid",
		"fqdn", "krbPrincipalName", "managedBy", "memberManager", "userCertificate;binary", "userCertificate",
		"krbPasswordExpiration", "krbPrincipalExpiration", "krbLastPwdChange", "krbLoginFailedCount", "krbLastFailedAuth", "krbLastAdminUnlock", "nsAccountLock",
		"krbPwdMaxFailure", "krbPwdLockoutDuration", "krbPwdFailureCountInterval", "krbMaxPwdLife", "krbMinPwdLife", "krbPwdMinLength", "krbPwdMinDiffChars", "krbPwdHistoryLength", "cosPriority",
		"pwdChangedTime", "pwdAccountLockedTime", "pwdFailureTime", "pwdReset", "shadowExpire", "shadowMax", "shadowLastChange",
		"ipaUniqueID", "entryUUID", "createTimestamp", "modifyTimestamp", "modifiersName",
	}
}
