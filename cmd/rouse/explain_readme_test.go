package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExplainInREADME: what README.md shows of rouse explain is what comes, on both
// servers, for the story that it tells.
func TestExplainInREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	both(t, wish{}, func(t *testing.T, p *play) {
		d := newDrama(p)
		for _, line := range []string{
			"desk comes by webpush", "phone comes", "tablet comes by apns", "everyone catches up",
			"tablet leaves", "phone sleeps",
			"romeo writes m1", "woken phone tablet",
			"desk reads m1", "desk shows m1",
			"phone wakes up",
		} {
			d.line(t, "README.md", line)
		}
		of := []string{"example.test\n", "example.test --stanza m1\n"}
		for i, args := range [][]string{{p.juliet()}, {p.juliet(), "--stanza", "m1"}} {
			cmd := exec.CommandContext(p.ctx, p.program[0], append(append(p.program[1:len(p.program):len(p.program)], "explain", "-c", p.config()), args...)...)
			cmd.Env = append(append(os.Environ(), p.env...), "TZ=UTC")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			shown := string(out)
			want := fence.FindStringSubmatch(strings.SplitAfterN(string(readme), "$ rouse explain juliet@"+of[i], 2)[1])
			if got, want := anyTime(shown), anyTime(want[1]); !slices.Equal(got, want) {
				t.Errorf("README.md does not show of explain %v\n%s\n(with any times, ids and order of devices)\n%s\nbut\n%s", args, shown, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

var passing = []*regexp.Regexp{
	regexp.MustCompile(`\d\d:\d\d:\d\d`), regexp.MustCompile(`(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day \d{4}-\d\d-\d\d`), regexp.MustCompile(`\d{4}-\d\d-\d\d`),
	regexp.MustCompile(`session …?[0-9a-z]{8,}`), regexp.MustCompile(`[\w-]{8}…`), regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|m)\b`), regexp.MustCompile(`@[\w.]+`),
}

// fence is the rest of a block of text.
var fence = regexp.MustCompile("(?s)^(.*?)```")

// anyTime gives the lines, where times, and names that differ from run to run, are all
// the same; and the devices of an event, which are in the order of such names, too.
func anyTime(text string) []string {
	for _, r := range passing {
		text = r.ReplaceAllString(text, "*")
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "session ended: ") }) // servers give other causes
	slices.Sort(lines)
	return lines
}
