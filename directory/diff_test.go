package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// world knows names by IDs.
type world map[string]string

func (w world) Name(id string) string { return w[id] }
func (world) Lockout(*Entry) Lockout  { return DefaultLockout }

var known = world{"i-juliet": "juliet", "i-romeo": "romeo", "i-admins": "admins"}

// entry reads "user juliet mail=j@x mail=k@x"; IDs are made of names.
func entry(text string) *Entry {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	e := &Entry{Type: Type(words[0]), ID: "i-" + words[1], Sync: "s-" + words[1], Attrs: map[string][]string{}}
	container, rdn := "cn=groups,cn=accounts", "cn"
	switch e.Type {
	case User:
		container, rdn = "cn=users,cn=accounts", "uid"
	case Staged, Preserved:
		container, rdn = "cn=deleted users,cn=accounts,cn=provisioning", "uid"
	case Host:
		container, rdn = "cn=computers,cn=accounts", "fqdn"
	}
	e.DN = rdn + "=" + words[1] + "," + container + ",dc=ipa,dc=test"
	e.Attrs[rdn] = []string{words[1]}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "id":
			e.ID = value
		case "has":
			e.Members = append(e.Members, value)
		default:
			e.Attrs[name] = append(e.Attrs[name], value)
		}
	}
	slices.Sort(e.Members)
	return e
}

// TestDiff: what becomes of two states of an entry.
func TestDiff(t *testing.T) {
	soon := "krblastfailedauth=20261127115900Z"
	for _, c := range []struct{ name, old, now, want string }{
		{"created", "", "user juliet createtimestamp=1", "user.created info [i-juliet]: user juliet was created"},
		{"a staged user", "", "staged juliet", "staged.created info [i-juliet]: staged user juliet was created"},
		{"activated", "staged juliet", "user juliet", "user.activated info [i-juliet]: staged user juliet was activated"},
		{"preserved: one event, though much changes", "user juliet mail=j", "preserved juliet nsaccountlock=TRUE mail=j", "user.preserved warning [i-juliet]: user juliet was deleted, and is kept"},
		{"restored", "preserved juliet nsaccountlock=TRUE", "user juliet nsaccountlock=TRUE", "user.restored warning [i-juliet]: user juliet was restored"},
		{"deleted", "user juliet", "", "user.deleted warning [i-juliet]: user juliet was deleted"},
		{"renamed", "user juliet", "user capulet id=i-juliet", "user.renamed info [i-juliet]: user juliet is called capulet now"},
		{"nothing", "user juliet mail=j", "user juliet mail=j", ""},
		{"bookkeeping", "user juliet modifytimestamp=1 memberof=a", "user juliet modifytimestamp=2 memberof=b modifiersname=cn=memberof,cn=plugins,cn=config", ""},
		{"several attributes are one event", "user juliet mail=j loginshell=/bin/sh", "user juliet mail=k loginshell=/bin/bash", "user.changed info [i-juliet]: mail, shell of user juliet changed"},
		{"an ssh key", "user juliet", "user juliet ipasshpubkey=ssh-ed25519", "user.changed info [i-juliet]: ssh keys of user juliet changed"},
		{"disabled", "user juliet", "user juliet nsaccountlock=TRUE", "user.disabled warning [i-juliet]: user juliet was disabled"},
		{"enabled", "user juliet nsaccountlock=TRUE", "user juliet nsaccountlock=FALSE", "user.enabled warning [i-juliet]: user juliet was enabled again"},
		{"disabled by ppolicy", "user juliet", "user juliet pwdaccountlockedtime=000001010000Z", "user.disabled warning [i-juliet]: user juliet was disabled"},
		{"locked by ppolicy", "user juliet", "user juliet pwdaccountlockedtime=20261127115900Z", "user.locked warning [i-juliet]: user juliet is locked: too many failed logins"},
		{"locked", "user juliet krbloginfailedcount=5 " + soon, "user juliet krbloginfailedcount=6 " + soon,
			"user.locked warning [i-juliet]: user juliet is locked on ipa1: too many failed logins, until 12:09 UTC"},
		{"locked long ago", "user juliet", "user juliet krbloginfailedcount=6 krblastfailedauth=20261127110000Z", ""},
		{"unlocked", "user juliet krbloginfailedcount=6 " + soon, "user juliet krbloginfailedcount=0 " + soon, "user.unlocked info [i-juliet]: user juliet is unlocked on ipa1"},
		{"failed logins", "user juliet krbloginfailedcount=2 " + soon, "user juliet krbloginfailedcount=3 " + soon, "user.login-failures info [i-juliet]: 3 failed logins of user juliet on ipa1"},
		{"fewer", "user juliet krbloginfailedcount=1 " + soon, "user juliet krbloginfailedcount=2 " + soon, ""},
		{"a new password", "user juliet krblastpwdchange=1", "user juliet krblastpwdchange=20261127120000Z krbpasswordexpiration=20270227120000Z",
			"password.changed info [i-juliet]: the password of juliet changed"},
		{"reset: it runs out at once", "user juliet krblastpwdchange=1", "user juliet krblastpwdchange=20261127120000Z krbpasswordexpiration=20261127120000Z",
			"password.reset warning [i-juliet]: the password of juliet was reset"},
		{"reset by somebody else", "user juliet pwdchangedtime=1", "user juliet pwdchangedtime=20261127120000Z modifiersname=uid=admin,cn=users,cn=accounts,dc=ipa,dc=test",
			"password.reset warning [i-juliet]: the password of juliet was reset"},
		{"changed by oneself", "user juliet pwdchangedtime=1", "user juliet pwdchangedtime=20261127120000Z modifiersname=uid=juliet,cn=users,cn=accounts,dc=ipa,dc=test",
			"password.changed info [i-juliet]: the password of juliet changed"},
		{"a group with members", "", "group admins has=i-romeo", "group.created info []: group admins was created; group.member-added info [i-romeo]: romeo was added to group admins"},
		{"members", "group admins has=i-romeo", "group admins has=i-juliet", "group.member-added info [i-juliet]: juliet was added to group admins; group.member-removed info [i-romeo]: romeo was removed from group admins"},
		{"a member that nobody knows", "group admins", "group admins has=dn:cn=nobody", "group.member-added info []: cn=nobody was added to group admins"},
		{"a group is renamed", "group admins", "group lords id=i-admins", "group.renamed info []: group admins is called lords now"},
		{"a group is deleted", "group admins", "", "group.deleted info []: group admins was deleted"},
		{"a private group", "", "private juliet", ""},
		{"a host", "", "host h1", ""},
		{"a host is enrolled", "host h1", "host h1 krblastpwdchange=20261127120000Z", "host.enrolled info []: host h1 was enrolled"},
		{"a policy", "policy global_policy krbmaxpwdlife=1", "policy global_policy krbmaxpwdlife=2", "policy.changed warning []: password policy global_policy changed: krbmaxpwdlife"},
		{"found somewhere else", "", "user juliet", "user.created info [i-juliet]: user juliet was created"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			keys := map[string]bool{}
			for _, e := range Diff(known, Options{Server: "ipa1", Failures: 3}, entry(c.old), entry(c.now), noon) {
				got = append(got, fmt.Sprintf("%s %s %v: %s", e.Kind, e.Severity, e.People, e.Text))
				if keys[e.Key] || e.Key == "" || !slices.Contains(Kinds(), e.Kind) {
					t.Errorf("%+v: its key is another one's, or it is of no kind", e)
				}
				keys[e.Key] = true
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("\n got %s\nwant %s", text, c.want)
			}
		})
	}
}

// TestKeys: one event has one key, and the next of its kind another.
func TestKeys(t *testing.T) {
	locked := func(at string) string {
		return Diff(known, Options{}, entry("user juliet modifytimestamp="+at), entry("user juliet nsaccountlock=TRUE modifytimestamp="+at+"1"), noon)[0].Key
	}
	if one, again := locked("1"), locked("1"); one != again || one == locked("2") {
		t.Error("keys do not tell one from another")
	}
}

// TestWho: nobody is named where a plugin did it.
func TestWho(t *testing.T) {
	for by, want := range map[string]string{"uid=admin,cn=users": "uid=admin,cn=users", "cn=MemberOf Plugin,cn=plugins,cn=config": "", "": ""} {
		e := entry("user juliet nsaccountlock=TRUE")
		if by != "" {
			e.Attrs["modifiersname"] = []string{by}
		}
		if got := Diff(known, Options{}, entry("user juliet"), e, noon)[0].Fields["by"]; got != want {
			t.Errorf("by %q: %q", by, got)
		}
	}
}
