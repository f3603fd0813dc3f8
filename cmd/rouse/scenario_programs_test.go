package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory/dirlab"
	"rouse/notice/program"
)

// TestProgramsThatAct: a rouse without a component, as it runs on a file server, follows
// a directory and has programs act on it: curl, something that sends mail, and one that
// makes a home directory. What happens while it is dead is made up for.
func TestProgramsThatAct(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expires := time.Now().AddDate(0, 0, 5).UTC().Format("20060102150405Z")
	slapd, err := dirlab.StartSlapd(ctx, t.TempDir(), []byte(dirlab.Person("juliet", "mail: juliet@mantua.test", "krbPasswordExpiration: "+expires, "krbLastPwdChange: 20260101000000Z")))
	must(err)
	t.Cleanup(func() { slapd.Kill() })
	posted := make(chan program.Document, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var d program.Document
		if json.NewDecoder(r.Body).Decode(&d) == nil {
			posted <- d
		}
	}))
	defer sink.Close()
	mails, port := smtpSink(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	password := file("directory.password", dirlab.NotifierPass+"\n")
	config := file("rouse.toml", fmt.Sprintf(`
[directory]
servers = [%q]
suffix = %q
bind_dn = %q
password_file = %q

[[exec]]
name = "home"
filters = ["kind user.created"]
command = ["/usr/bin/install", "-d", "-m", "0700", "-o", "{uid}", "-g", "{gid}", "--", "%s/home/{user}"]
input = "none"

[[exec]]
name = "curl"
filters = ["kind user.*"]
command = ["/usr/bin/curl", "-sSf", "--json", "@-", %q]

[[exec]]
name = "mail"
filters = ["kind password.expir*"]
command = ["/usr/bin/msmtp", "--host=127.0.0.1", "--port=%s", "--from=rouse@mantua.test", "-t"]
input = "mail"

[web]
listen = ""
[log]
level = "debug"
`, slapd.URL(), dirlab.Suffix, dirlab.Notifier, password, dir, sink.URL, port))
	logFile, err := os.Create(filepath.Join(dir, "log"))
	must(err)
	defer logFile.Close()
	start := func() *exec.Cmd {
		self, err := os.Executable()
		must(err)
		cmd := exec.CommandContext(ctx, self, "serve", "-c", config)
		cmd.Env, cmd.Stderr = append(os.Environ(), asRouse+"=1"), logFile
		must(cmd.Start())
		return cmd
	}
	await := func(what string, there func() bool) {
		t.Helper()
		for !there() {
			select {
			case <-ctx.Done():
				text, _ := os.ReadFile(logFile.Name())
				t.Fatalf("no %s\n%s", what, text)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	rouse := start()
	select {
	case m := <-mails:
		if !strings.Contains(m, "To: <juliet@mantua.test>") || !strings.Contains(m, "The password of juliet runs out in ") {
			t.Errorf("the mail is %s", m)
		}
	case <-ctx.Done():
		text, _ := os.ReadFile(logFile.Name())
		t.Fatalf("no mail\n%s", text)
	}

	conn, err := slapd.Conn()
	must(err)
	defer conn.Close()
	add := func(uid string, number int) {
		t.Helper()
		r := ldap.NewAddRequest("uid="+uid+","+dirlab.Users, nil)
		for attr, v := range map[string]string{"cn": uid, "sn": uid, "uid": uid, "uidNumber": fmt.Sprint(number), "gidNumber": "100", "homeDirectory": "/home/" + uid} {
			r.Attribute(attr, []string{v})
		}
		r.Attribute("objectClass", []string{"top", "person", "inetOrgPerson", "posixAccount"})
		must(conn.Add(r))
	}
	made := func(uid string, number uint32) {
		t.Helper()
		await("home directory of "+uid, func() bool {
			i, err := os.Stat(filepath.Join(dir, "home", uid))
			return err == nil && i.Sys().(*syscall.Stat_t).Uid == number && i.Mode().Perm() == 0o700
		})
	}
	add("romeo", 4001)
	made("romeo", 4001)
	if d := <-posted; d.Kind != "user.created" || d.User != "romeo" || d.Fields["uid"] != "4001" {
		t.Errorf("curl posted %+v", d)
	}
	must(rouse.Process.Kill())
	rouse.Wait()
	add("tybalt", 4002)
	rouse = start()
	made("tybalt", 4002)
	must(rouse.Process.Signal(syscall.SIGTERM))
	must(rouse.Wait())
	select {
	case m := <-mails:
		t.Errorf("told twice: %s", m)
	default:
	}
}

// smtpSink takes mail, as little of SMTP as a client needs (RFC 5321), and gives what
// came.
func smtpSink(t *testing.T) (mails <-chan string, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			smtp(c, out)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return out, port
}

func smtp(c net.Conn, out chan<- string) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	io.WriteString(c, "220 sink\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
		case "QUIT":
			io.WriteString(c, "221 bye\r\n")
			return
		case "DATA":
			io.WriteString(c, "354 go on\r\n")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			out <- text.String()
			io.WriteString(c, "250 taken\r\n")
		default:
			io.WriteString(c, "250 fine\r\n")
		}
	}
}
