package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
		if text := p.command("directory", "diff"); !strings.Contains(text, "User juliet was enabled again.") || !strings.Contains(text, "-> chat:"+p.juliet()+", chat:nurse@"+p.server.Host()) {
			t.Errorf("the difference is %s", text)
		}
		p.must(p.start(p.ctx))
		hears(juliet, "Your account juliet was enabled again.")
		hears(juliet, "Your mail changed.")
		hears(nurse, "User juliet was enabled again.")
		if text := p.command("directory", "diff"); !strings.Contains(text, "nothing differs") {
			t.Errorf("the difference is %s", text)
		}

		// Who is deleted takes their devices and preferences along.
		phone := p.client("juliet", "phone", lab.ClientOptions{})
		p.enableBy("apns", phone, "phone")
		p.must(phone.Send(p.ctx, lab.Chat(p.server.Rouse().JID, "q1", "alerts off")))
		hears(phone, "In chat you are told nothing.\nOn your devices you are told nothing.")
		if text := p.command("devices", p.juliet()); !strings.Contains(text, "chat-ios") {
			t.Errorf("juliet's devices are %s", text)
		}
		p.must(conn.Del(ldap.NewDelRequest(who("juliet"), nil)))
		hears(nurse, "User juliet was deleted.")
		if text := p.command("devices", p.juliet()); strings.Contains(text, "live") {
			t.Errorf("juliet's devices are %s", text)
		}
		p.must(phone.Send(p.ctx, lab.Chat(p.server.Rouse().JID, "q2", "alerts")))
		hears(phone, "In chat you are told:\n1. default\nOn your devices you are told nothing.")
	})
}

// command gives what a command of rouse prints, whatever it ends with.
func (p *play) command(name string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.ctx, p.program[0], append(append(p.program[1:len(p.program):len(p.program)], name), append(args, "-c", p.config())...)...)
	cmd.Env = append(os.Environ(), p.env...)
	text, _ := cmd.CombinedOutput()
	return string(text)
}

// TestDirectoryIsQuick: from a change on the directory's side to the message at a
// client. How long that took is printed, and is no matter of passing.
func TestDirectoryIsQuick(t *testing.T) {
	t.Run("OpenLDAP", func(t *testing.T) {
		isQuick(t, func(ctx context.Context, dir string, ldif []byte) (dirlab.Server, error) {
			return dirlab.StartSlapd(ctx, dir, ldif)
		})
	})
	t.Run("389-DS", func(t *testing.T) {
		isQuick(t, func(ctx context.Context, dir string, ldif []byte) (dirlab.Server, error) {
			return dirlab.StartDS389(ctx, dir, ldif)
		})
	})
}

func isQuick(t *testing.T, start func(ctx context.Context, dir string, ldif []byte) (dirlab.Server, error)) {
	p := prepare(t, lab.Options{})
	slapd, err := start(p.ctx, t.TempDir(), []byte(dirlab.Person("juliet")))
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
