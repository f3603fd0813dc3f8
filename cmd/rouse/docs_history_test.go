package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHistoriesInDocuments: every history in a document is decided as it says there,
// and where a document shows the timeline, that is it.
func TestHistoriesInDocuments(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	histories, timelines := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rest := string(text)
		for {
			_, after, found := strings.Cut(rest, "\n```history\n")
			if !found {
				break
			}
			story, after, _ := strings.Cut(after, "\n```\n")
			rest = "\n" + after
			histories++
			line := strings.Count(string(text[:len(text)-len(after)]), "\n")
			var out, errs bytes.Buffer
			io := stdio{in: strings.NewReader(story + "\n"), out: &out, err: &errs, env: func(string) string { return "" }, now: time.Now}
			if code := run([]string{"simulate", "-"}, io); code != exitFine {
				t.Errorf("%s: the history that ends in line %d: exit code %d\n%s", file, line, code, errs.String())
			}
			shown, ok := strings.CutPrefix(strings.TrimLeft(after, "\n"), "```\n$ rouse simulate ")
			if !ok {
				continue
			}
			timelines++
			_, shown, _ = strings.Cut(shown, "\n")
			if shown, _, _ = strings.Cut(shown, "```\n"); shown != out.String() {
				t.Errorf("%s: the timeline behind line %d is\n%s", file, line, out.String())
			}
		}
	}
	if histories < 2 || timelines == 0 {
		t.Errorf("%d histories and %d timelines found", histories, timelines)
	}
}
