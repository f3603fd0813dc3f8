package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory/dirlab"
	"rouse/servers/lab"
)

// TestDirectoryInChat: what happens in a directory is told to the person in chat, and
// to administrators; what happens while rouse is dead is told after that, and nothing
// twice.
func TestDirectoryInChat(t *testing.T) {
	prepareBoth(t, wish{}, func(t *testing.T, p *play) {
		expires := time.Now().AddDate(0, 0, 5).Add(time.Hour).UTC()
		slapd, err := dirlab.StartSlapd(p.ctx, t.TempDir(), []byte(dirlab.Person("juliet", "krbPasswordExpiration: "+expires.Format("20060102150405Z"), "krbLastPwdChange: 20260101000000Z")+dirlab.Person("nurse")))
		p.must(err)
		t.Cleanup(func() { slapd.Kill() })
		password := filepath.Join(p.dir, "directory.password")
		p.must(os.WriteFile(password, []byte(dirlab.NotifierPass+"\n"), 0o600))
		p.rules += fmt.Sprintf("[directory]\nservers = [%q]\nsuffix = %q\nbind_dn = %q\npassword_file = %q\njid = \"{uid}@%s\"\nadmin_group = \"admins\"\n",
			slapd.URL(), dirlab.Suffix, dirlab.Notifier, password, p.server.Host())
		p.must(p.configure())
		p.begins()
		juliet, nurse := p.client("juliet", "desk", lab.ClientOptions{}), p.client("nurse", "desk", lab.ClientOptions{})
		hears := func(c *lab.Client, body string) {
			t.Helper()
			if _, err := c.AwaitBody(p.ctx, body); err != nil {
				t.Fatalf("%q was not heard: %v", body, err)
			}
		}
		hears(juliet, "Your password runs out in 5 days, on "+expires.Format("2006-01-02 15:04 UTC")+".")

		conn, err := slapd.Conn()
		p.must(err)
		defer conn.Close()
		modify := func(dn, attr string, values ...string) {
			t.Helper()
			m := ldap.NewModifyRequest(dn, nil)
			m.Replace(attr, values)
			p.must(conn.Modify(m))
		}
		who := func(uid string) string { return "uid=" + uid + "," + dirlab.Users }
		admins := "cn=admins," + dirlab.Groups
		modify(admins, "member", who("nurse"))
		hears(nurse, "You were added to group admins.")
		modify(who("juliet"), "loginShell", "/bin/zsh")
		hears(juliet, "Your shell changed.")
		modify(who("juliet"), "nsAccountLock", "TRUE")
		hears(juliet, "Your account juliet was disabled.")
		hears(nurse, "User juliet was disabled.")

		p.kills()
		modify(who("juliet"), "nsAccountLock", "FALSE")
		modify(who("juliet"), "mail", "juliet@mantua.test")
		p.must(p.start(p.ctx))
		hears(juliet, "Your account juliet was enabled again.")
		hears(juliet, "Your mail changed.")
		hears(nurse, "User juliet was enabled again.")
	})
}

// TestDirectoryIsQuick: from a change on the directory's side to the message at a
// client. How long that took is printed, and is no matter of passing.
func TestDirectoryIsQuick(t *testing.T) {
	p := prepare(t, lab.Options{})
	slapd, err := dirlab.StartSlapd(p.ctx, t.TempDir(), []byte(dirlab.Person("juliet")))
	p.must(err)
	t.Cleanup(func() { slapd.Kill() })
	password := filepath.Join(p.dir, "directory.password")
	p.must(os.WriteFile(password, []byte(dirlab.NotifierPass+"\n"), 0o600))
	p.rules += fmt.Sprintf("[directory]\nservers = [%q]\nsuffix = %q\nbind_dn = %q\npassword_file = %q\njid = \"{uid}@%s\"\n", slapd.URL(), dirlab.Suffix, dirlab.Notifier, password, p.server.Host())
	p.must(p.configure())
	p.begins()
	juliet := p.client("juliet", "desk", lab.ClientOptions{})
	conn, err := slapd.Conn()
	p.must(err)
	defer conn.Close()
	var took []time.Duration
	for i := range 50 {
		uid := fmt.Sprint(2000 + i)
		m := ldap.NewModifyRequest("uid=juliet,"+dirlab.Users, nil)
		attr := []string{"uid number", "gid number"}[i%2]
		m.Replace([]string{"uidNumber", "gidNumber"}[i%2], []string{uid})
		began := time.Now()
		if i == 0 {
			p.must(p.await(p.ctx, "the directory to be followed", func() bool { return p.logged("the directory is followed") > 0 }))
			began = time.Now()
		}
		p.must(conn.Modify(m))
		heard := 0
		if _, err := juliet.Await(p.ctx, func(s lab.Stanza) bool {
			if s.Body == "Your "+attr+" changed." {
				heard++
			}
			return heard > i/2
		}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from ldapmodify to the client: p50 %v, p90 %v, max %v", took[25].Round(100*time.Microsecond), took[45].Round(100*time.Microsecond), took[49].Round(100*time.Microsecond))
}
