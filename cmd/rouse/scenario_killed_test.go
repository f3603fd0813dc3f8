package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory/dirlab"
)

// TestDirectoryAndKills: rouse and the directory are killed again and again, whatever
// they do just then, while users are disabled one by one: each is told of, and as one
// event. A program that ran when rouse was killed may run again, for the same event.
func TestDirectoryAndKills(t *testing.T) {
	t.Parallel()
	const users = 80
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var people strings.Builder
	for i := range users {
		people.WriteString(dirlab.Person(fmt.Sprintf("u%02d", i)))
	}
	slapd, err := dirlab.StartSlapd(ctx, t.TempDir(), []byte(people.String()))
	must(err)
	t.Cleanup(func() { slapd.Kill() })
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(os.WriteFile(in("directory.password"), []byte(dirlab.NotifierPass+"\n"), 0o600))
	must(os.WriteFile(in("rouse.toml"), fmt.Appendf(nil, `
[directory]
servers = [%q]
suffix = %q
bind_dn = %q
password_file = "directory.password"
[[exec]]
name = "keep"
filters = ["kind user.disabled"]
command = ["/bin/sh", "-c", "echo \"$1 $2\" >> %s", "sh", "{subject}", "{id}"]
input = "none"
at_once = 16
[web]
listen = ""
`, slapd.URL(), dirlab.Suffix, dirlab.Notifier, in("told")), 0o600))
	log, err := os.Create(in("log"))
	must(err)
	defer log.Close()
	start := func() *exec.Cmd {
		self, err := os.Executable()
		must(err)
		cmd := exec.CommandContext(ctx, self, "serve", "-c", in("rouse.toml"))
		cmd.Env, cmd.Stderr = append(os.Environ(), asRouse+"=1"), log
		must(cmd.Start())
		return cmd
	}
	logged := func() string { text, _ := os.ReadFile(in("log")); return string(text) }
	rouse := start()
	for !strings.Contains(logged(), "the directory is followed") {
		select {
		case <-ctx.Done():
			t.Fatalf("it is not followed\n%s", logged())
		case <-time.After(10 * time.Millisecond):
		}
	}

	done := make(chan error, 1)
	go func() { // who does not mind that the directory is killed
		for i := 0; i < users; {
			conn, err := slapd.Conn()
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			for ; i < users; i++ {
				m := ldap.NewModifyRequest(fmt.Sprintf("uid=u%02d,%s", i, dirlab.Users), nil)
				m.Replace("nsAccountLock", []string{"TRUE"})
				if err := conn.Modify(m); err != nil {
					break
				}
				time.Sleep(30 * time.Millisecond)
			}
			conn.Close()
		}
		done <- nil
	}()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-time.After(time.Duration(50+random.IntN(300)) * time.Millisecond):
		}
		if random.IntN(4) == 0 {
			must(slapd.Kill())
			must(slapd.Start(ctx))
			continue
		}
		must(rouse.Process.Kill())
		rouse.Wait()
		rouse = start()
	}

	for {
		text, _ := os.ReadFile(in("told"))
		ids := make(map[string]map[string]bool)
		for line := range strings.Lines(string(text)) {
			who, id, _ := strings.Cut(strings.TrimSpace(line), " ")
			if ids[who] == nil {
				ids[who] = make(map[string]bool)
			}
			ids[who][id] = true
		}
		for who, list := range ids {
			if len(list) != 1 {
				t.Fatalf("%s was told of as %d events", who, len(list))
			}
		}
		if len(ids) == users {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("only %d of %d were told of\n%s", len(ids), users, logged())
		case <-time.After(50 * time.Millisecond):
		}
	}
	must(rouse.Process.Signal(os.Interrupt))
	must(rouse.Wait())
}
