package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rouse/component/events"
)

// Only several processes have anything to take over.
func TestJudgeTakeover(t *testing.T) {
	for conflict, want := range map[string]int{"kick_new": 1, "kick_old": 0, "": 0} {
		found := judgeTakeover("example.org", events.About{Settings: map[string]string{"conflict": conflict}}, "push.example.org")
		if len(found) != want {
			t.Fatalf("%q: %+v", conflict, found)
		}
		for _, f := range found {
			if !f.OK || !f.Warn || !strings.Contains(f.Fix, `"kick_old" below Component "push.example.org"`) {
				t.Errorf("%+v", f)
			}
		}
	}
}

// Each case changes one thing about servers where all is well.
func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	prosody := func() events.About {
		return events.About{Module: "1", Software: "Prosody", Version: "0.12.3", Clock: now, Taken: now.Add(-time.Hour),
			Beside: map[string]bool{"cloud_notify": true, "smacks": true, "mam": true}, Settings: map[string]string{"ack-delay": "30", "read-timeout": "840"}}
	}
	ejabberd := func() events.About {
		return events.About{Module: "1", Software: "ejabberd", Version: "23.01", Clock: now, Beside: map[string]bool{"push": true, "stream_mgmt": true, "mam": true},
			Settings: map[string]string{"ack-delay": "30", "ack-timeout": "60"}}
	}
	for _, c := range []struct {
		name   string
		about  func() events.About
		change func(*events.About)
		want   string // what the second finding begins with, and its fix holds; "": there is none
		fix    string
		fails  bool
	}{
		{"fine", prosody, func(*events.About) {}, "", "", false},
		{"fine", ejabberd, func(*events.About) {}, "", "", false},
		{"an old module that tells little", func() events.About {
			return events.About{Beside: map[string]bool{"cloud_notify": true, "smacks": true, "mam": true}}
		}, func(*events.About) {}, "", "", false},
		{"no registrar", prosody, func(a *events.About) { delete(a.Beside, "cloud_notify") }, "mod_cloud_notify is not loaded", `"cloud_notify" to modules_enabled`, true},
		{"no registrar", ejabberd, func(a *events.About) { delete(a.Beside, "push") }, "mod_push is not loaded", "mod_push: {}", true},
		{"no resumption", ejabberd, func(a *events.About) { delete(a.Beside, "stream_mgmt") }, "mod_stream_mgmt is not loaded", "mod_stream_mgmt: {}", false},
		{"no archive", prosody, func(a *events.About) { delete(a.Beside, "mam") }, "mod_mam is not loaded", `"mam"`, false},
		{"clock ahead", prosody, func(a *events.About) { a.Clock = now.Add(90 * time.Second) }, "its clock differs from ours by 1m30s", "timedatectl", false},
		{"clock nearly right", prosody, func(a *events.About) { a.Clock = now.Add(-4 * time.Second) }, "", "", false},
		{"away", prosody, func(a *events.About) { a.Away, a.Waiting = true, 9 }, "the server's own push module does the work", "troubleshooting", false},
		{"stuck", prosody, func(a *events.About) { a.Waiting = 9 }, "9 events wait, and none was taken for 1h0m0s", "troubleshooting", false},
		{"busy", prosody, func(a *events.About) { a.Waiting, a.Taken = 9, now.Add(-time.Second) }, "", "", false},
		{"no ack delay", prosody, func(a *events.About) { a.Settings["ack-delay"] = "0" }, "a client that acknowledges nothing is never reported", "smacks_max_ack_delay = 30", false},
		{"long ack delay", prosody, func(a *events.About) { a.Settings["ack-delay"] = "90" }, "a client may owe an acknowledgement for 1m30s", "smacks_max_ack_delay = 30", false},
		{"ack timeout first", ejabberd, func(a *events.About) { a.Settings["ack-timeout"] = "30" }, "the ack delay (30s) is not below the ack timeout (30s)", "ack_delay of mod_rouse", false},
	} {
		a := c.about()
		c.change(&a)
		found := judge("example.org", a, now)
		if !found[0].OK || found[0].Warn || found[0].Place != "host example.org" {
			t.Errorf("%s, %s: begins with %+v", a.Software, c.name, found[0])
		}
		switch {
		case c.want == "" && len(found) > 1:
			t.Errorf("%s, %s: %+v", a.Software, c.name, found[1])
		case c.want == "":
		case len(found) != 2:
			t.Errorf("%s, %s: %d findings: %+v", a.Software, c.name, len(found), found)
		case !strings.HasPrefix(found[1].Text, c.want), !strings.Contains(found[1].Fix, c.fix), found[1].OK == c.fails, found[1].Warn == c.fails, found[1].Why == "":
			t.Errorf("%s, %s: %+v", a.Software, c.name, found[1])
		}
	}
}

// checks runs rouse check, and gives what it prints and its exit code.
func (p *play) checks() (string, int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.ctx, os.Args[0], "check", "-c", p.config())
	cmd.Env = append(os.Environ(), asRouse+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestCheckAsksTheServer: check says how the module on a real server stands.
func TestCheckAsksTheServer(t *testing.T) {
	t.Parallel()
	prepareBoth(t, wish{ackDelay: 90 * time.Second, alone: true}, func(t *testing.T, p *play) {
		says := map[string][]string{
			"Prosody": {"host example.test    ok    Prosody 0.1", "host example.test    warn  a client may owe an acknowledgement for 1m30s", "fix: set smacks_max_ack_delay = 30"},
			"ejabberd": {"host example.test    ok    ejabberd 2", "host example.test    warn  the ack delay (1m30s) is not below the ack timeout (1m0s)",
				"fix: set ack_delay of mod_rouse to half of ack_timeout of mod_stream_mgmt or less"},
		}[p.server.Name()]
		out, code := p.checks()
		for _, want := range says {
			if code != exitFine || !strings.Contains(out, want) {
				t.Errorf("exit code %d, and no %q in\n%s", code, want, out)
			}
		}
		p.must(p.server.UnloadModule(p.ctx))
		out, code = p.checks()
		for _, want := range []string{"host example.test    FAIL  mod_rouse does not answer (service-unavailable)", "load it: ", `"rouse" in modules_enabled of VirtualHost "example.test"`, "ejabberd: mod_rouse below modules"} {
			if code != exitProblems || !strings.Contains(out, want) {
				t.Errorf("exit code %d, and no %q in\n%s", code, want, out)
			}
		}
	})
}
