package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// FuzzParse: any text gives a configuration or mistakes, each with a cause and, if
// it has a place, one inside the text.
func FuzzParse(f *testing.F) {
	f.Add(Sample())
	f.Add(whole)
	f.Add("[[a]]\n[a.b]\nc = [[1], {d = 2}]\n[[a]]\nb.\"c.d\" = 3\n")
	f.Add("app = {name = \"x\"}\nstore.url = 1\n")
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(ar.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("rouse.toml", []byte(text))
		if err == nil {
			if c == nil {
				t.Fatal("neither a configuration nor an error")
			}
			if again := NeedRestart(c, c); len(again) > 0 {
				t.Errorf("differs from itself: %v", again)
			}
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("not Errors: %v", err)
		}
		lines := strings.Count(text, "\n") + 1
		var keys []string
		for _, e := range all {
			if e.Cause == "" || e.File != "rouse.toml" || e.Line < 0 || e.Line > lines || e.Line > 0 && e.Col < 1 {
				t.Errorf("%+v in %d lines", *e, lines)
			}
			if strings.ContainsAny(e.Error(), "\n\r") {
				t.Errorf("more than one line: %q", e.Error())
			}
			if e.Key != "" && slices.Contains(keys, e.Key) {
				t.Errorf("%s is reported twice", e.Key)
			}
			keys = append(keys, e.Key)
		}
	})
}
