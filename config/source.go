package config

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// source knows where every key of a file stands. Paths are written as
// "component.jid", "app[0].name", "component.hosts[1]".
type source struct {
	name   string
	data   []byte
	offset map[string]int
}

func newSource(name string, data []byte) *source {
	return &source{name: name, data: data, offset: make(map[string]int)}
}

// has reports whether the file names the key.
func (s *source) has(path string) bool {
	_, ok := s.offset[path]
	return ok
}

// error places a mistake at its key, or at the nearest thing around it.
func (s *source) error(path, cause, hint string) *Error {
	e := &Error{File: s.name, Key: path, Cause: cause, Hint: hint}
	for at := path; at != ""; at = parent(at) {
		if off, ok := s.offset[at]; ok {
			e.Line, e.Col = s.lineCol(off)
			break
		}
	}
	return e
}

func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

func (s *source) lineCol(off int) (line, col int) {
	before := s.data[:off]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// beside makes a path that is meant relative to the file relative to where we run.
func (s *source) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.name), path)
}

// index finds the places of all keys. The decoder has accepted the data before.
func (s *source) index() {
	var p unstable.Parser
	p.Reset(s.data)
	table := ""
	arrays := make(map[string]int) // tables seen so far of each array of tables
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = s.header(e, arrays)
		case unstable.KeyValue:
			s.keyValue(table, e)
		}
	}
}

// header notes a [table] or [[table]] at its first bracket.
func (s *source) header(e *unstable.Node, arrays map[string]int) string {
	path, off := "", -1
	for it := e.Key(); it.Next(); {
		if n := arrays[path]; n > 0 { // [[a]] then [a.b]: b belongs to the newest a
			path = element(path, n-1)
		}
		path = join(path, string(it.Node().Data))
		if off < 0 {
			off = int(it.Node().Raw.Offset)
		}
	}
	off = bytes.LastIndexByte(s.data[:off], '\n') + 1
	off += len(s.data[off:]) - len(bytes.TrimLeft(s.data[off:], " \t"))
	if e.Kind == unstable.ArrayTable {
		s.note(path, off)
		arrays[path]++
		path = element(path, arrays[path]-1)
	}
	s.note(path, off)
	return path
}

func (s *source) keyValue(table string, e *unstable.Node) {
	path := table
	for it := e.Key(); it.Next(); {
		path = join(path, string(it.Node().Data))
		s.note(path, int(it.Node().Raw.Offset))
	}
	s.value(path, e.Value())
}

func (s *source) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			s.keyValue(path, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			n := it.Node()
			if n.Raw.Length > 0 { // arrays inside arrays have no place of their own
				s.note(element(path, i), int(n.Raw.Offset))
			}
			s.value(element(path, i), n)
		}
	}
}

func (s *source) note(path string, off int) {
	if _, ok := s.offset[path]; !ok {
		s.offset[path] = off
	}
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

var bare = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join quotes what is not a bare key, so that no key can pass for a path.
func join(path, key string) string {
	if !bare.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
