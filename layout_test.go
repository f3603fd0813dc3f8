// Package rouse_test holds the rules about the shape of the project.
package rouse_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import rule of docs/ARCHITECTURE.md: for each room the rooms
// that it may use. A room may always use what lies in it. What is not listed
// here is a new room and wants a line.
var mayImport = map[string][]string{
	"session":   {},
	"business":  {"session"},
	"store":     {"session"},
	"gateway":   {"session", "business", "store"},
	"component": {"session"},
	"push":      {"session"},
	"web":       {"session"},
	"config":    {},
	"directory": {},
	"notice":    {"component", "session"},
	"servers":   {},
	"cmd":       {"*"},
}

// inTests are imports that tests of a room may have beyond its own.
var inTests = map[string][]string{
	"gateway": {"store/sqlite", "store/storetest"},
	"servers": {"component"},
	"store":   {"servers/lab"},
}

func TestImportRule(t *testing.T) {
	eachGoFile(t, func(file string, src []byte) {
		room, _, inRoom := strings.Cut(file, "/")
		if !inRoom {
			return
		}
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s: room %q is not in the import rule", file, room)
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			ours, ok := strings.CutPrefix(name, "rouse/")
			if !ok {
				continue
			}
			other, _, _ := strings.Cut(ours, "/")
			switch {
			case other == room, has(allowed, other), has(allowed, "*"):
			case strings.HasSuffix(file, "_test.go") && (has(inTests[room], ours) || has(inTests[room], other)):
			default:
				t.Errorf("%s imports %s: %s may use %v only", file, name, room, allowed)
			}
			if room == "gateway" && strings.HasPrefix(ours, "store/") && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports %s: gateway knows the contracts, not a store", file, name)
			}
		}
	})
}

// TestPureRooms: no clock, no I/O, no randomness where decisions are made.
func TestPureRooms(t *testing.T) {
	allowed := []string{"time", "fmt", "bytes", "maps", "slices", "strconv", "strings", "crypto/sha256", "encoding/hex", "rouse/session"}
	eachGoFile(t, func(file string, src []byte) {
		room := path.Dir(file)
		if room != "session" && room != "business" || strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, spec := range f.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); !has(allowed, name) {
				t.Errorf("%s imports %s: not in a pure room", file, name)
			}
		}
		for _, clock := range []string{"time.Now(", "time.Since(", "time.After(", "time.Sleep("} {
			if bytes.Contains(src, []byte(clock)) {
				t.Errorf("%s uses %s): time comes in through parameters", file, clock)
			}
		}
	})
}

// TestFilesAreSmall: one file, one subject.
func TestFilesAreSmall(t *testing.T) {
	eachGoFile(t, func(file string, src []byte) {
		if n := bytes.Count(src, []byte("\n")); n > 500 {
			t.Errorf("%s has %d lines, at most 500 are wanted", file, n)
		}
	})
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func eachGoFile(t *testing.T, do func(file string, src []byte)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		n++
		do(filepath.ToSlash(p), src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("no Go files found: run from the top of the checkout")
	}
}
