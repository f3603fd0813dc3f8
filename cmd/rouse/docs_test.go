package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/config"
	"rouse/session"
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

// TestMetricsAreThere: every metric that the documents tell people to look at,
// or to be alarmed by, is one that /metrics has.
func TestMetricsAreThere(t *testing.T) {
	cfg, _ := certified(t, 365) // an app with a certificate has all of them
	dir := t.TempDir()
	cfg.Notices.File = filepath.Join(dir, "notices.db")
	cfg.Directory = &config.Directory{Servers: []string{"ldap://127.0.0.1:1"}, Suffix: "dc=example", File: filepath.Join(dir, "directory.db")}
	cfg.Execs = []config.Exec{{Name: "log", Filters: []string{"all"}, Command: []string{"/bin/true"}, AtOnce: 1}}
	a, err := build(context.Background(), cfg, time.Now, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	answer := httptest.NewRecorder()
	a.web.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	name, histogram := regexp.MustCompile(`\brouse_[a-z_]+`), regexp.MustCompile(`_(bucket|sum|count)$`)
	found := 0
	for _, file := range []string{"install", "troubleshooting", "operations", "backup", "many-machines"} {
		text, err := os.ReadFile("../../docs/" + file + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range name.FindAllString(string(text), -1) {
			if n == "rouse_component" { // a setting of mod_rouse
				continue
			}
			found++
			if !strings.Contains(answer.Body.String(), "# TYPE "+histogram.ReplaceAllString(n, "")+" ") {
				t.Errorf("%s.md: there is no metric %s", file, n)
			}
		}
	}
	if found == 0 {
		t.Error("no metrics found in the documents")
	}
}

// TestImportanceIsAsItIsTold: docs/importance.md has the table of classes as it is.
func TestImportanceIsAsItIsTold(t *testing.T) {
	text, err := os.ReadFile("../../docs/importance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, told, _ := strings.Cut(string(text), "| --- | --- | --- | --- | --- | --- |\n")
	told, _, _ = strings.Cut(told, "\n\n")
	var rows []string
	for c := session.NumClasses - 1; ; c-- {
		of := c.Importance()
		urgent, merges := map[bool]string{true: "urgent", false: "in time"}[of.Urgent], map[bool]string{true: "yes", false: "no"}[of.Merges]
		replaces := map[session.Collapse]string{session.Alone: "nothing", session.WithShown: "what is shown", session.WithSilent: "what is silent"}[of.Collapse]
		if c == session.Nothing {
			rows = append(rows, "| nothing | | | | | |")
			break
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", of.Name, urgent, of.Push, of.Life, replaces, merges))
	}
	if want := strings.Join(rows, "\n"); told != want {
		t.Errorf("docs/importance.md has\n%s\nbut it is\n%s", told, want)
	}
}
