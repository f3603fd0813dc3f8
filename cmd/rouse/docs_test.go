package main

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsAreDescribed: docs/commands.md has every command with every flag,
// and none that is not there.
func TestCommandsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"help"}
	for _, c := range commands() {
		known = append(known, c.name)
		_, section, found := strings.Cut(string(text), "\n## "+c.name+"\n")
		if !found {
			t.Errorf("%s has no section", c.name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.set(fs)
		fs.VisitAll(func(f *flag.Flag) {
			dashed := regexp.MustCompile(`[\[\x60 ]--?` + f.Name + `\b`)
			if f.Name != "config" && !dashed.MatchString(section) {
				t.Errorf("%s: -%s is not described", c.name, f.Name)
			}
		})
	}
	called := regexp.MustCompile("(?m)(?:^|[$`] ?)rouse ([a-z]+)\\b").FindAllStringSubmatch(string(text), -1)
	for _, m := range called {
		if !slices.Contains(known, m[1]) {
			t.Errorf("there is no rouse %s", m[1])
		}
	}
	if len(called) < len(known) {
		t.Errorf("only %d calls of rouse found", len(called))
	}
}
