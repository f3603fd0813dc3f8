package oracle_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutations are mistakes that somebody might make in package business. A text that is
// not there any more, as the rules change, is one to write anew.
var mutations = []struct{ name, file, old, new string }{
	{"what is told at an ack delay is not counted", "sessions.go",
		"session.Delayed, max(s.Acked, e.Acked)\n\t\ts = d.unread(\"a1\", s)",
		"session.Delayed, max(s.Acked, e.Acked)\n\t\td.unread(\"a1\", s)"},
	{"a row that goes with a more important one is forgotten", "wake.go",
		"d.a.Pending[k] = with(high, w)",
		"d.a.Pending[k] = high"},
	{"of several calls that are given up one is missed", "settle.go",
		"d.owe(claimed.Rule, addr, session.Message, n)",
		"d.owe(claimed.Rule, addr, session.Message, 1)"},
	{"a room's message does not wait for the window of another", "wake.go",
		"class <= as && end.After(d.now)",
		"class < as && end.After(d.now)"},
	{"a chat that is read further on is read only as far as the first message", "read.go",
		"return len(d.a.Waits)\n}",
		"return 1\n}"},
	{"a wake that waits for another device waits on when that is gone", "grace.go",
		"w.Due = ep.Held.Else\n",
		"w.Due = w.Due.Add(0)\n"},
	{"a device is woken again for the last thing only", "repeat.go",
		"d.now, x.Count+n, max",
		"d.now, n, max"},
	{"a device that is active again without a word is waited for", "repeat.go",
		"case d.awake(ep):",
		"case d.awake(ep) && ep.Owner == \"\":"},
	{"what a device does not want counts as told", "wake.go",
		"		d.say(rule, session.Filtered, class, addr, d.refused(ep, class, d.of()))",
		"		d.see(key, class, addr)\n		d.say(rule, session.Filtered, class, addr, d.refused(ep, class, d.of()))"},
	{"quiet that was asked for later does not hold back what is owed", "limits.go",
		"at = calm([2]*session.Filter{a.Filter, ep.Filter}, p, now)",
		"at = calm([2]*session.Filter{nil, ep.Filter}, p, now)"},
	{"what a provider gave back joins nothing", "settle.go",
		"d.gather(key, w)",
		"d.a.Pending[key] = w"},
}

// TestMutations: the oracle notices what is wrong in the rules. Each mutation is found
// by TestOracle, within as many histories as that decides in make test.
func TestMutations(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel() // as many as there are cores
			overlay := mutated(t, m.file, m.old, m.new)
			test := exec.CommandContext(t.Context(), "go", "test", "-p=1", "-count=1", "-vet=off", "-overlay="+overlay, "-run=^TestOracle$", ".",
				"-oracle.n=20000", "-oracle.seed=1", "-rapid.shrinktime=0s")
			out, err := test.CombinedOutput()
			after := foundAfter.FindSubmatch(out)
			switch {
			case err == nil:
				t.Error("not found within 20 000 histories")
			case after == nil || !strings.Contains(string(out), "the rules and their oracle differ"):
				t.Errorf("%v\n%s", err, out)
			default:
				t.Logf("found after %s histories", after[1])
			}
		})
	}
}

var foundAfter = regexp.MustCompile(`\[rapid\] failed after (\d+) tests?:`)

// mutated makes an overlay (go help build) in which a file of package business has
// other text, and gives its name.
func mutated(t *testing.T, file, old, new string) string {
	t.Helper()
	place, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), old); n != 1 {
		t.Fatalf("%s has this %d times:\n%s", file, n, old)
	}
	dir := t.TempDir()
	other := filepath.Join(dir, file)
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{place: other}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
