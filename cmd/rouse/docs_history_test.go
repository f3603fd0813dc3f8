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
		for _, e := range examples(string(text)) {
			histories++
			out, errs, code := e.simulated()
			if code != exitFine {
				t.Errorf("%s: the history that ends in line %d: exit code %d\n%s", file, e.line, code, errs)
			}
			if !e.hasShown {
				continue
			}
			timelines++
			if e.shown != out {
				t.Errorf("%s: the timeline behind line %d is\n%s", file, e.line, out)
			}
		}
	}
	if histories < 2 || timelines == 0 {
		t.Errorf("%d histories and %d timelines found", histories, timelines)
	}
}

// example is a history in a document, and what the document says that it leads to.
type example struct {
	line     int // in which it ends
	story    string
	shown    string // the timeline
	hasShown bool
}

// examples finds the histories in a document.
func examples(text string) (list []example) {
	rest := text
	for {
		_, after, found := strings.Cut(rest, "\n```history\n")
		if !found {
			return list
		}
		story, after, _ := strings.Cut(after, "\n```\n")
		rest = "\n" + after
		e := example{story: story + "\n", line: strings.Count(text[:len(text)-len(after)], "\n")}
		shown, ok := strings.CutPrefix(strings.TrimLeft(after, "\n"), "```\n$ rouse simulate ")
		if ok {
			_, shown, _ = strings.Cut(shown, "\n")
			e.shown, _, _ = strings.Cut(shown, "```\n")
			e.hasShown = true
		}
		list = append(list, e)
	}
}

// simulated has rouse simulate play it.
func (e example) simulated(flags ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	io := stdio{in: strings.NewReader(e.story), out: &stdout, err: &stderr, env: func(string) string { return "" }, now: time.Now}
	code = run(append(append([]string{"simulate"}, flags...), "-"), io)
	return stdout.String(), stderr.String(), code
}
