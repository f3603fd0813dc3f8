package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rouse/notice/emit"
	"rouse/notice/program"
	"rouse/servers/lab"
)

// TestNotices: what is emitted is told to whom it names, to administrators, in rooms and
// on devices, and programs run on it; each in the way that they chose. What comes back is
// on record.
func TestNotices(t *testing.T) {
	w := wish{}
	if err := w.option(strings.Fields(historyOptions)); err != nil {
		t.Fatal(err)
	}
	prepareBoth(t, w, func(t *testing.T, p *play) {
		host := p.server.Host()
		p.component = fmt.Sprintf("admins = [%q]", "nurse@"+host)
		p.ios = "alerts = true\n"
		token := filepath.Join(p.dir, "notices.token")
		p.must(os.WriteFile(token, []byte("a-token\n"), 0o600))
		homes := filepath.Join(p.dir, "homes")
		p.must(os.MkdirAll(homes, 0o700))
		out := filepath.Join(p.dir, "program.out")
		script := filepath.Join(p.dir, "keep")
		p.must(os.WriteFile(script, []byte("#!/bin/sh\ncat > \"$1.new\" && mv \"$1.new\" \"$1\"\n"), 0o700))
		p.rules += fmt.Sprintf(`
[notices]
socket = "emit.sock"
token_file = %q

[[room]]
jid = %q
nick = "herald"
filters = ["severity error"]

[[exec]]
name = "home"
filters = ["kind user.created"]
command = ["/bin/mkdir", "-p", "--", %q]

[[exec]]
name = "keep"
filters = ["kind backup.*, not subject test"]
command = [%q, %q]

[[exec]]
name = "broken"
filters = ["all"]
command = ["/bin/false"]
`, token, p.room(), homes+"/{subject}", script, out)
		p.must(p.configure())
		p.begins()
		nurse := p.client("nurse", "desk", lab.ClientOptions{})
		juliet := p.client("juliet", "desk", lab.ClientOptions{})
		p.must(p.romeo.Join(p.ctx, p.room(), "romeo"))
		hears := func(c *lab.Client, body string) lab.Stanza {
			t.Helper()
			s, err := c.AwaitBody(p.ctx, body)
			if err != nil {
				t.Fatalf("%q was not heard: %v", body, err)
			}
			return s
		}
		rouse := func(in string, args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(p.ctx, p.program[0], append(append(p.program[1:len(p.program):len(p.program)], args[0], "-c", p.config()), args[1:]...)...)
			cmd.Env, cmd.Stdin = append(os.Environ(), p.env...), strings.NewReader(in)
			text, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v: %s", args, err, text)
			}
			return string(text)
		}

		// Administrators, rooms and programs.
		rouse("", "emit", "--kind", "backup.failed", "--severity", "error", "--subject", "db", "--field", "code=3, 4", "--link", "https://x.test/7", "The backup of db failed.")
		hears(nurse, "The backup of db failed.\nhttps://x.test/7")
		if s := hears(p.romeo, "The backup of db failed.\nhttps://x.test/7"); s.Type != "groupchat" || !strings.HasSuffix(s.From, "/herald") {
			t.Errorf("in the room: %s", s.XML)
		}
		_, err := p.romeo.IQ(p.ctx, p.room(), "set", `<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='herald' role='none'/></query>`)
		p.must(err)
		rouse("", "emit", "--severity", "error", "--subject", "test", "Put out, and in again.")
		hears(p.romeo, "Put out, and in again.")

		var doc program.Document
		p.must(p.await(p.ctx, "the program", func() bool {
			text, err := os.ReadFile(out)
			return err == nil && json.Unmarshal(text, &doc) == nil
		}))
		if doc.Kind != "backup.failed" || doc.Fields["code"] != "3, 4" || doc.Subject != "db" {
			t.Errorf("the program read %+v", doc)
		}
		rouse("", "emit", "--kind", "user.created", "--subject", "a b, c;$(id)", "A user was created.")
		p.must(p.await(p.ctx, "a home directory", func() bool { _, err := os.Stat(filepath.Join(homes, "a b, c;$(id)")); return err == nil }))
		hears(nurse, "A user was created.")

		// Over HTTP; the same event twice is told once.
		event, err := json.Marshal(emit.Event{SpecVersion: "1.0", ID: "1", Source: "test", Type: "greeting", Data: &emit.Data{Text: "Good morrow.", To: []string{p.juliet()}}})
		p.must(err)
		for i := range 2 {
			r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, "http://"+p.web+emit.Path, bytes.NewReader(event))
			p.must(err)
			r.Header.Set("Authorization", "Bearer a-token")
			r.Header.Set("Content-Type", "application/cloudevents+json")
			resp, err := http.DefaultClient.Do(r)
			p.must(err)
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted || !strings.Contains(string(text), fmt.Sprintf(`"fresh":%d`, 1-i)) {
				t.Fatalf("%s: %s", resp.Status, text)
			}
		}
		hears(juliet, "Good morrow.")

		// The bot: juliet wants to see alerts on her phone, and no more in chat.
		phone := p.client("juliet", "phone", lab.ClientOptions{})
		p.enableBy("apns", phone, "phone")
		says := func(c *lab.Client, text, answer string) {
			t.Helper()
			p.must(c.Send(p.ctx, lab.Chat(p.server.Rouse().JID, "q"+fmt.Sprint(len(text)), text)))
			hears(c, answer)
		}
		says(juliet, "devicse", `There is no command "devicse". Did you mean devices?`)
		says(juliet, "alerts device add severity warning", "In chat you are told:\n1. default\nOn your devices you are told:\n1. severity warning")
		says(juliet, "alerts off", "In chat you are told nothing.\nOn your devices you are told:\n1. severity warning")
		rouse("The tomb is open.", "emit", "--severity", "warning", "--subject", "tomb", "--to", p.juliet())
		p.must(p.await(p.ctx, "an alert on the phone", func() bool {
			for _, w := range p.apns.Delivered() {
				if strings.Contains(string(w.Payload), `"title":"tomb"`) && strings.Contains(string(w.Payload), "The tomb is open.") {
					return true
				}
			}
			return false
		}))

		// What cannot be delivered is on record.
		rouse("", "emit", "--to", "nobody@"+host, "Is anybody there?")
		p.must(p.await(p.ctx, "a message that comes back", func() bool {
			return strings.Contains(rouse("", "notices", "nobody@"+host, "--failed"), "it came back: ")
		}))
		if text := rouse("", "notices", "broken", "--failed"); !strings.Contains(text, "exec:broken to broken as program (all)") || !strings.Contains(text, "exit status 1") {
			t.Errorf("of a program that fails: %s", text)
		}
		p.noSecrets("a-token", "The tomb is open")
	})
}
