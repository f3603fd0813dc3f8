package rouse_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var mdLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// TestLinks: what one document says of another is there, headings included.
func TestLinks(t *testing.T) {
	links := 0
	for _, file := range documents(t) {
		for _, m := range mdLink.FindAllStringSubmatch(prose(t, file), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") { // another place's
				continue
			}
			links++
			to := file
			if target != "" {
				to = filepath.Join(filepath.Dir(file), target)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s: there is no %s", file, m[1], to)
				continue
			}
			if anchor != "" && !anchors(t, to)[anchor] {
				t.Errorf("%s: %s: %s has no such heading", file, m[1], to)
			}
		}
	}
	if links == 0 {
		t.Error("no links found")
	}
}

// documents are all that people read, but for test data.
func documents(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(p, ".md"):
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// prose is a document without its blocks of code.
func prose(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	code := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			out.WriteString(line)
		}
	}
	if code {
		t.Errorf("%s: a block of code does not end", file)
	}
	return out.String()
}

// anchors are the names of a document's headings, as the usual viewers make them.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	last := ""
	for line := range strings.Lines(prose(t, file)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			names[anchor(strings.TrimLeft(line, "#"))] = true
		case line != "" && strings.Trim(line, "=") == "":
			names[anchor(last)] = true
		}
		last = line
	}
	return names
}

func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
