package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/config"
	"rouse/directory/follow"
)

// checkDirectory binds to each server as serve does, and looks at what it shows.
func checkDirectory(ctx context.Context, cfg *config.Config, p *printer) {
	d := cfg.Directory
	if d == nil {
		return
	}
	for _, server := range d.Servers {
		began := time.Now()
		f := finding{Place: "directory", Text: server}
		fail := func(why, fix string) {
			f.OK, f.Why, f.Fix = false, why, fix
			p.print(f)
		}
		fc, err := followConfig(d)
		if err != nil {
			fail(err.Error(), "")
			continue
		}
		c, software, err := follow.Dial(ctx, server, &fc)
		if err != nil {
			fail(err.Error(), "docs/directory.md says what the account needs, and how to look with ldapsearch")
			continue
		}
		r, err := c.Search(ldap.NewSearchRequest(d.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 60, false, "(|(objectClass=posixAccount)(objectClass=inetOrgPerson))",
			[]string{"uid", "krbPasswordExpiration", "pwdChangedTime", "krbLastPwdChange", "nsAccountLock", "krbLoginFailedCount", "userCertificate;binary", "mail"}, nil))
		c.Close()
		switch {
		case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
			fail(fmt.Sprintf("the server shows this account only %d entries at once", len(r.Entries)), "raise nsSizeLimit and nsLookThroughLimit (389-DS), or limits in slapd.conf, for the account: docs/directory.md")
			continue
		case err != nil:
			fail(err.Error(), "is directory.suffix right?")
			continue
		case len(r.Entries) == 0:
			fail("no user is shown below "+d.Suffix, "is directory.suffix right, and may the account read users?")
			continue
		}
		has := func(attr string) (n int) {
			for _, e := range r.Entries {
				if len(e.GetRawAttributeValues(attr)) > 0 {
					n++
				}
			}
			return n
		}
		ends := has("krbPasswordExpiration") + has("pwdChangedTime")
		f.OK, f.Took = true, time.Since(began).Round(time.Millisecond).String()
		f.Text += fmt.Sprintf(": %s, %d users; of %d it shows when the password runs out, of %d certificates, of %d failed logins", software, len(r.Entries), ends, has("userCertificate;binary"), has("krbLoginFailedCount"))
		if ends == 0 {
			f.Warn, f.Why, f.Fix = true, "nobody can be warned of a password that runs out", "FreeIPA: the account needs to be bound, krbPasswordExpiration is read by whoever is; OpenLDAP: the overlay ppolicy, and directory.password_max_age"
		}
		p.print(f)
	}
}
