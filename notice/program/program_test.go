package program

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

var created = outbox.Delivery{
	Delivery: notice.Delivery{Text: "User juliet was created."},
	Notice: notice.Notice{ID: "id1", Source: "directory", Kind: "user.created", Severity: notice.Info, At: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Subject: "juliet",
		People: []notice.Person{{Name: "juliet", Address: "juliet@x"}}, Fields: map[string]string{"home": "/home/O'Hara, J.", "uid": "2000", "by": "$(reboot)"}, Link: "https://x/1"},
}

func run(t *testing.T, c Config) (string, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	c.Logger = slog.New(slog.DiscardHandler)
	for i := range c.Command {
		c.Command[i] = strings.ReplaceAll(c.Command[i], "OUT", out)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Send(t.Context(), created)
	text, _ := os.ReadFile(out)
	return string(text), err
}

// TestArguments: what a notice says is put into arguments and the environment, one for
// one, and nothing of it is ever run.
func TestArguments(t *testing.T) {
	text, err := run(t, Config{Input: None, Command: []string{"/bin/sh", "-c", `for a; do printf '[%s]' "$a"; done > OUT; printf '%s' "$WHO $ROUSE_ID $ROUSE_USER $HOME" >> OUT; cat >> OUT`, "sh",
		"{user}", "{field.home}", "{home}", "{by}", "{kind} of {subject}", "{nothing}", "{severity} {time} {address} {link} {id} {source}", "{text}", "{Not}", "a,b c"},
		Env: []string{"WHO={uid}:{address}"}})
	const want = `[juliet][/home/O'Hara, J.][/home/O'Hara, J.][$(reboot)][user.created of juliet][][info 2026-11-27T12:00:00Z juliet@x https://x/1 id1 directory][User juliet was created.][{Not}][a,b c]2000:juliet@x id1 juliet /`
	if err != nil || text != want {
		t.Errorf("%v\n got %s\nwant %s", err, text, want)
	}
}

// TestInput: the notice on standard input, as JSON or as its text.
func TestInput(t *testing.T) {
	text, err := run(t, Config{Input: JSON, Command: []string{"/bin/sh", "-c", "cat > OUT"}})
	var d Document
	if e := json.Unmarshal([]byte(text), &d); err != nil || e != nil || d.User != "juliet" || d.Fields["uid"] != "2000" || d.Text != "User juliet was created." || d.Severity != "info" {
		t.Errorf("%v %v %+v", err, e, d)
	}
	if text, err := run(t, Config{Input: Text, Command: []string{"/bin/sh", "-c", "cat > OUT"}}); err != nil || text != "User juliet was created.\n" {
		t.Errorf("%v %q", err, text)
	}
}

// TestMail: a message for sendmail -t.
func TestMail(t *testing.T) {
	if _, err := run(t, Config{Input: Mail, Command: []string{"/bin/true"}}); !errors.Is(err, notice.ErrUndeliverable) || !strings.Contains(err.Error(), "no mail address of juliet") {
		t.Errorf("without an address: %v", err)
	}
	d := document(created)
	d.Text, d.Fields = "Größe\nzwei", map[string]string{"mail": "juliet@mantua.test"}
	b, err := d.input(Mail)
	const want = "To: <juliet@mantua.test>\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\nDate: Fri, 27 Nov 2026 12:00:00 +0000\nMessage-ID: <id1@rouse>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=B6=C3=9Fe\r\nzwei\r\nhttps://x/1\r\n"
	if err != nil || strings.ReplaceAll(string(b), "\r\n", "\n") != strings.ReplaceAll(want, "\r\n", "\n") {
		t.Errorf("%v\n%s", err, b)
	}
	for _, evil := range []string{"a@b.test\nBcc: all@b.test", "a@b.test, c@d.test"} {
		d.Fields["mail"] = evil
		if b, err := d.input(Mail); err == nil {
			t.Errorf("%q became %s", evil, b)
		}
	}
}

// TestEnvironment is clean: nothing of ours is in it.
func TestEnvironment(t *testing.T) {
	t.Setenv("ROUSE_SECRET", "hunter2")
	text, err := run(t, Config{Input: None, Command: []string{"/bin/sh", "-c", "/usr/bin/env > OUT"}})
	if err != nil || strings.Contains(text, "hunter2") || !strings.Contains(text, "ROUSE_KIND=user.created\n") || !strings.Contains(text, "PATH=/usr/local/sbin:") {
		t.Errorf("%v %s", err, text)
	}
}

// TestEnds: what becomes of each way to end.
func TestEnds(t *testing.T) {
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	for name, c := range map[string]struct {
		command []string
		says    string
		again   bool
	}{
		"well":                    {sh("exit 0"), "", false},
		"without reading":         {[]string{"/bin/true"}, "", false},
		"later":                   {sh("echo busy; exit 75"), "wants to be run again", true},
		"badly":                   {sh("echo no such host >&2; exit 3"), "exit status 3", false},
		"killed":                  {sh("kill -9 $$"), "signal: killed", false},
		"never":                   {sh("sleep 600 & sleep 600"), "did not end within 1s", false},
		"there is none":           {[]string{"/nowhere/none"}, "cannot be started", true},
		"with much to say":        {sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 1"), "exit status 1", false},
		"leaving somebody behind": {sh("sleep 1 & exit 0"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			_, err := run(t, Config{Input: JSON, Timeout: time.Second, Command: c.command})
			switch {
			case c.says == "" && err != nil, c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v", err)
			case c.says != "" && errors.Is(err, notice.ErrUndeliverable) == c.again:
				t.Errorf("again: %v, %v", !errors.Is(err, notice.ErrUndeliverable), err)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestStopped: whoever runs when rouse stops may finish, and has run then.
func TestStopped(t *testing.T) {
	dir := t.TempDir()
	p, err := New(Config{Input: None, Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler), Command: []string{"/bin/sh", "-c", "echo begun > " + dir + "/begun; sleep 1; echo done > " + dir + "/done"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Send(ctx, created) }()
	for {
		if _, err := os.Stat(dir + "/begun"); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir + "/done"); err != nil {
		t.Error("it was not let finish")
	}
}

// TestUser: as somebody else, if we may.
func TestUser(t *testing.T) {
	if _, err := New(Config{User: "no-such-user-here"}); err == nil {
		t.Error("there is no such user")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root runs programs as others")
	}
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o777)
	}
	p, err := New(Config{User: "nobody", Input: None, Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler), Command: []string{"/bin/sh", "-c", "id -un > " + dir + "/who"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Send(t.Context(), created); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(dir + "/who"); string(text) != "nobody\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestCapped(t *testing.T) {
	var c capped
	for range 3 {
		if n, err := c.Write(make([]byte, 3000)); n != 3000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := c.String(); c.text.Len() != maxOutput || !strings.HasSuffix(got, "(4904 bytes more)") {
		t.Errorf("%d, %q", c.text.Len(), got[len(got)-30:])
	}
}
