package follow

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory/dirlab"
)

// fails has logins of somebody fail on a server, so often in all; 0: an administrator
// unlocked them. The last one was ago.
func fails(t *testing.T, s dirlab.Server, uid, count string, ago ...time.Duration) {
	t.Helper()
	c, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := ldap.NewModifyRequest(dn(uid), nil)
	m.Replace("krbLoginFailedCount", []string{count})
	m.Replace("krbLastFailedAuth", []string{time.Now().Add(-append(ago, 0)[0]).UTC().Format("20060102150405Z")})
	if err := c.Modify(m); err != nil {
		t.Fatal(err)
	}
}

// other starts a second server with the same people.
func other(r *rig, ldif string) *dirlab.Slapd {
	r.t.Helper()
	s, err := dirlab.StartSlapd(r.ctx, r.t.TempDir(), []byte(ldif))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Kill() })
	return s
}

// texts takes out the events that wait.
func (r *rig) texts(n int) string {
	r.t.Helper()
	var list []string
	r.await("events", func() bool {
		events, err := r.db.Events(r.ctx, 100)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(events) < n {
			return false
		}
		for _, e := range events {
			list = append(list, e.Text)
			if err := r.db.Done(r.ctx, e.N); err != nil {
				r.t.Fatal(err)
			}
		}
		return true
	})
	return strings.Join(list, "; ")
}

// TestLocks: failed logins are counted on each server by itself, and what they lock is
// told of the server where that is; a lock ends by itself.
func TestLocks(t *testing.T) {
	t.Parallel()
	people := dirlab.Person("juliet") + dirlab.Person("romeo")
	r := newRig(t, openLDAP, people)
	second := other(r, people)
	fails(t, second, "romeo", "6") // from before: no news
	r.follows(func(c *Config) {
		c.LockServers, c.LockPoll, c.Options.Failures = []string{second.URL()}, 20*time.Millisecond, 3
	})
	r.followed()
	r.await("the second server to be asked", func() bool { r.f.mu.Lock(); defer r.f.mu.Unlock(); return len(r.f.state.Polled) == 1 })
	is := func(n int, want ...string) {
		t.Helper()
		got := r.texts(n)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q, and not %q", got, w)
			}
		}
	}
	on := " on " + shortName(second.URL())
	fails(t, second, "juliet", "4", 40*time.Second)
	is(1, "4 failed logins of user juliet"+on)
	fails(t, second, "juliet", "6", 30*time.Second)
	is(1, "user juliet is locked"+on+": too many failed logins, until ")
	fails(t, second, "juliet", "0", 20*time.Second)
	is(1, "user juliet is unlocked"+on)
	fails(t, r.slapd, "juliet", "6")
	is(1, "user juliet is locked on "+shortName(r.slapd.URL()))
	fails(t, second, "juliet", "7")
	is(1, "user juliet is locked"+on)

	if err := r.f.Sweep(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.late = 11 * time.Minute
	r.mu.Unlock()
	if err := r.f.Sweep(r.ctx); err != nil {
		t.Fatal(err)
	}
	is(3, "user juliet is unlocked on "+shortName(r.slapd.URL()), "user juliet is unlocked"+on, "user romeo is unlocked"+on)
}

// TestLocksOfTheNext: that another server counts otherwise is no news when it is
// followed instead.
func TestLocksOfTheNext(t *testing.T) {
	t.Parallel()
	people := dirlab.Person("juliet") + dirlab.Person("romeo")
	r := newRig(t, openLDAP, people)
	second := other(r, people)
	fails(t, second, "romeo", "6")
	r.follows(func(c *Config) { c.Servers = append(c.Servers, second.URL()) })
	r.followed()
	fails(t, r.slapd, "juliet", "6")
	r.wants("user.locked juliet")
	if err := r.slapd.Kill(); err != nil {
		t.Fatal(err)
	}
	r.await("the second server to be followed", func() bool { s := r.f.Status(); return s.Server == second.URL() && s.Failed == "" })
	fails(t, second, "juliet", "6")
	got := ""
	for !strings.Contains(got, "user juliet is locked on "+shortName(second.URL())) {
		got += r.texts(1) // groups have other IDs there, as no replicas have
	}
	if strings.Contains(got, "romeo") || strings.Contains(got, "unlocked") {
		t.Error(got)
	}
}

// TestDegraded: administrators are told, once, that nothing is followed, and that
// something is again.
func TestDegraded(t *testing.T) {
	t.Parallel()
	r := newRig(t, openLDAP, dirlab.Person("juliet"))
	r.follows(func(c *Config) { c.Degraded = 600 * time.Millisecond })
	r.followed()
	if err := r.slapd.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wants("watch.degraded directory")
	r.stop()
	r.follows(func(c *Config) { c.Degraded = 600 * time.Millisecond })
	r.await("another try", func() bool { return r.f.Status().Failed != "" })
	if err := r.slapd.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.connect()
	r.wants("watch.recovered directory")
	r.modify(dn("juliet"), "mail", "other@example.test")
	r.wants("user.changed juliet")
}

// TestRevoked: what the CA revokes is told to whom it is of; what it had revoked before is
// no news.
func TestRevoked(t *testing.T) {
	t.Parallel()
	const base = "cn=certificates," + dirlab.Suffix
	r := newRig(t, openLDAP, dirlab.Person("juliet")+"dn: "+base+"\nobjectClass: nsContainer\ncn: certificates\n")
	revoke := func(serial, of string) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := new(big.Int).SetString(serial, 10)
		c := &x509.Certificate{SerialNumber: n, Subject: pkix.Name{CommonName: of, Organization: []string{"TEST"}}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		add := ldap.NewAddRequest("cn="+serial+","+base, nil)
		for attr, v := range map[string]string{"objectClass": "certificateRecord", "cn": serial, "certStatus": "REVOKED", "userCertificate;binary": string(der)} {
			add.Attribute(attr, []string{v})
		}
		if err := r.admin.Add(add); err != nil {
			t.Fatal(err)
		}
	}
	revoke("1", "juliet")
	r.follows(func(c *Config) { c.CA, c.Sweep = base, 50*time.Millisecond })
	r.followed()
	r.await("the CA to be asked", func() bool { r.f.mu.Lock(); defer r.f.mu.Unlock(); return len(r.f.state.Polled) == 1 })
	revoke("2", "juliet")
	if got := r.texts(1); got != "a certificate of juliet (CN=juliet,O=TEST) was revoked" {
		t.Error(got)
	}
	revoke("3", "web.test")
	if got := r.texts(1); got != "the certificate CN=web.test,O=TEST was revoked" {
		t.Error(got)
	}
	r.stop()
	revoke("4", "juliet")
	r.follows(func(c *Config) { c.CA, c.Sweep = base, 50*time.Millisecond })
	r.wants("cert.revoked juliet")
}

// TestGroupDays: members of a group are warned on days of their own, from when they are
// in it.
func TestGroupDays(t *testing.T) {
	t.Parallel()
	end := time.Now().AddDate(0, 0, 40).UTC().Format("20060102150405Z")
	r := newRig(t, openLDAP, dirlab.Person("juliet", "krbPasswordExpiration: "+end, "krbLastPwdChange: 20260101000000Z")+dirlab.Person("romeo", "krbPasswordExpiration: "+end, "krbLastPwdChange: 20260101000000Z"))
	r.follows(func(c *Config) { c.GroupDays = []GroupDays{{"admins", []int{60, 7}}} })
	r.followed()
	r.wants()
	r.modify(admins, "member", dn("juliet"))
	r.wants("group.member-added admins", "group.member-removed admins")
	if err := r.f.Sweep(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.wants("password.expiring juliet")
}
