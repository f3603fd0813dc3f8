package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Directory is what is followed, and who is told of it.
type Directory struct {
	Servers      []string `toml:"servers"` // LDAP URLs
	Suffix       string   `toml:"suffix"`
	Layout       string   `toml:"layout" enum:"freeipa,plain" default:"freeipa"`
	StartTLS     bool     `toml:"start_tls"`
	CAFile       string   `toml:"ca_file,path"`
	BindDN       string   `toml:"bind_dn"`
	PasswordFile string   `toml:"password_file,path"`
	Password     Secret   `toml:"-"` // what PasswordFile holds
	External     bool     `toml:"external"`
	Keytab       string   `toml:"keytab,path"` // for GSSAPI, as Principal
	Principal    string   `toml:"principal"`
	Krb5Conf     string   `toml:"krb5_conf,path" default:"/etc/krb5.conf"`
	File         string   `toml:"file,path"` // empty in the file: beside the store

	JID        string `toml:"jid"` // of people, with attributes in braces
	AdminGroup string `toml:"admin_group"`

	Warn           []int         `toml:"warn_days" default:"28,14,7,3,1"`
	WarnGroups     []string      `toml:"warn_groups"` // "GROUP DAY DAY…"
	PasswordMaxAge time.Duration `toml:"password_max_age" default:"0s"`
	LoginFailures  int           `toml:"login_failures" default:"0"`
	Reconcile      time.Duration `toml:"reconcile" default:"12h"`
	LockServers    []string      `toml:"lock_servers"` // LDAP URLs
	CA             string        `toml:"ca_suffix"`    // o=ipaca; empty: not asked
	Degraded       time.Duration `toml:"degraded_after" default:"5m"`
}

// The layouts of a Directory.
const (
	FreeIPA = "freeipa"
	Plain   = "plain"
)

var principal = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)

var attribute = regexp.MustCompile(`\{[A-Za-z][A-Za-z0-9;-]*\}`)

func (v *validator) directory(d *Directory) {
	if d == nil || v.bad["directory"] {
		return
	}
	if v.c.Component == nil && len(v.c.Execs) == 0 {
		v.fail("directory", "there is nobody to be told", "add the table [component] for chat, or [[exec]] for programs")
	}
	if d.File == "" {
		d.File = v.besideStore("directory.db")
	}
	if len(d.Servers) == 0 {
		v.fail("directory.servers", "is missing", `where the directory is: servers = ["ldaps://ipa.example.org"]`)
	}
	for i, s := range d.Servers {
		v.ldapURL(v.item("directory.servers", i), s, d)
	}
	v.required("directory.suffix", d.Suffix, `what is followed: suffix = "dc=example,dc=org"`)
	if v.c.Component != nil {
		v.required("directory.jid", d.JID, `how people are called in chat: jid = "{uid}@example.org"`)
	}
	if d.JID != "" && !attribute.MatchString(d.JID) {
		v.fail("directory.jid", fmt.Sprintf("%q names no attribute", d.JID), `like "{uid}@example.org", or "{mail}"`)
	}
	for i, s := range d.LockServers {
		v.ldapURL(v.item("directory.lock_servers", i), s, d)
	}
	switch {
	case d.External && d.BindDN != "":
		v.fail("directory.external", "there is a bind_dn as well", "keep one of both")
	case d.Keytab != "" && (d.External || d.BindDN != ""):
		v.fail("directory.keytab", "there is another way to bind as well", "keep one of keytab, bind_dn and external")
	case d.Keytab != "" && !principal.MatchString(d.Principal):
		v.fail("directory.principal", fmt.Sprintf("%q is not whose key the keytab has", d.Principal), `like "rouse/host.example.org@EXAMPLE.ORG"`)
	case d.Keytab == "" && d.Principal != "":
		v.fail("directory.principal", "has no key", "name its keytab in directory.keytab")
	case d.BindDN != "" && d.PasswordFile == "":
		v.fail("directory.bind_dn", "has no password", "put it into a file, mode 0600, and name that in directory.password_file")
	case d.BindDN == "" && d.PasswordFile != "":
		v.fail("directory.password_file", "is of nobody", "name whose it is in directory.bind_dn")
	}
	if len(d.Warn) > 16 || slices.ContainsFunc(d.Warn, func(n int) bool { return n < 1 || n > 365 }) {
		v.fail("directory.warn_days", "is out of range", "from 1 to 365 days, 16 of them at most")
	}
	for i, text := range d.WarnGroups {
		if _, _, err := WarnGroup(text); err != nil {
			v.fail(v.item("directory.warn_groups", i), err.Error(), `like "admins 60 30 14 7 3 1"`)
		}
	}
	if d.Degraded < time.Second || d.Degraded > 24*time.Hour {
		v.fail("directory.degraded_after", fmt.Sprintf("%v is out of range", d.Degraded), `from "1s" to "24h"`)
	}
	if d.Reconcile < time.Minute || d.Reconcile > 7*24*time.Hour {
		v.fail("directory.reconcile", fmt.Sprintf("%v is out of range", d.Reconcile), `from "1m" to "168h"`)
	}
	if d.PasswordMaxAge < 0 || d.LoginFailures < 0 {
		v.fail("directory", "password_max_age and login_failures are not below 0", "0: unknown, or not told")
	}
}

// WarnGroup reads one of WarnGroups.
func WarnGroup(text string) (group string, days []int, err error) {
	words := strings.Fields(text)
	if len(words) < 2 || len(words) > 17 {
		return "", nil, fmt.Errorf("%q is not a group and days", text)
	}
	for _, w := range words[1:] {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > 365 {
			return "", nil, fmt.Errorf("%q is no number of days from 1 to 365", w)
		}
		days = append(days, n)
	}
	return words[0], days, nil
}

func (v *validator) ldapURL(key, s string, d *Directory) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "ldap" && u.Scheme != "ldaps" && u.Scheme != "ldapi":
		v.fail(key, fmt.Sprintf("%q is not the address of a directory", s), `like "ldaps://ipa.example.org", "ldap://127.0.0.1", or "ldapi:///run/slapd-EXAMPLE-ORG.socket"`)
	case strings.Trim(u.Path, "/") != "" && u.Scheme != "ldapi", u.RawQuery != "":
		v.fail(key, "has more than a host and a port", "what is followed stands in directory.suffix")
	case u.Scheme == "ldap" && !d.StartTLS && d.PasswordFile != "" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.") && u.Hostname() != "::1":
		v.fail(key, "would carry the password in the clear", "ldaps://, or start_tls = true")
	}
}

func (f *fileChecker) directory(d *Directory) {
	if d == nil {
		return
	}
	if d.PasswordFile != "" {
		d.Password = f.secret("directory.password_file", d.PasswordFile)
	}
	if d.Keytab != "" {
		f.private("directory.keytab", d.Keytab, maxKey)
	}
	f.authorities("directory.ca_file", d.CAFile)
}
