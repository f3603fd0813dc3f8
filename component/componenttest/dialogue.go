package componenttest

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"rouse/component/stanza"
)

// The parts of a dialogue.
const (
	serverSends      = "server sends"
	componentReplies = "component replies"
)

// Run plays every dialogue that the pattern matches with a component of its
// own, whose link start returns.
//
// A dialogue is a txtar file. What stands under "server sends" is sent as it
// is; under "component replies" stand the stanzas that have to come next: those
// to one account in order, those to several however they come, as a component
// serves accounts side by side. They are compared as XML: neither the order of
// attributes, nor prefixes, nor white space between elements matter. {{any}}
// within a value or a text stands for any text; alone in an element it stands
// for whatever else is in there. At the end nothing else may come.
func Run(t *testing.T, pattern string, start func(t *testing.T) *Link) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues at %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			script, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, script, start(t))
		})
	}
}

func play(t *testing.T, script *txtar.Archive, l *Link) {
	t.Helper()
	for i, part := range script.Files {
		switch part.Name {
		case serverSends:
			l.Send(string(part.Data))
		case componentReplies:
			want, err := parse(string(part.Data))
			if err != nil {
				t.Fatalf("part %d: %v", i+1, err)
			}
			for len(want) > 0 {
				got := l.Next(t)
				n := max(0, slices.IndexFunc(want, func(w stanza.Element) bool { return fits(account(&w), account(&got)) }))
				if !matches(&want[n], &got) {
					t.Errorf("part %d:\n got %s\nwant %s", i+1, text(got), text(want[n]))
				}
				want = slices.Delete(want, n, n+1)
			}
		default:
			t.Fatalf("part %d is called %q, not %q or %q", i+1, part.Name, serverSends, componentReplies)
		}
	}
	l.Send("<iq type='get' id='last?' from='probe.example' to='" + l.Host + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	if e := l.Next(t); e.Get("id") != "last?" {
		t.Errorf("more came: %s", text(e))
	}
}

// account is whom a stanza is to, without the resource.
func account(e *stanza.Element) string {
	bare, _, _ := strings.Cut(e.Get("to"), "/")
	return bare
}

func text(e stanza.Element) string { return string(stanza.AppendElement(nil, e)) }

// parse reads stanzas as they stand in a script.
func parse(s string) ([]stanza.Element, error) {
	in := stanza.NewReader(strings.NewReader("<stream:stream xmlns='"+stanza.NSClient+"' xmlns:stream='"+stanza.NSStream+"'>"+s+"</stream:stream>"), stanza.Limits{})
	if _, err := in.ReadHeader(); err != nil {
		return nil, err
	}
	var all []stanza.Element
	for {
		e, err := in.Next()
		switch {
		case err == nil:
			all = append(all, e)
		case err == io.EOF:
			return all, nil
		default:
			return nil, fmt.Errorf("script: %w", err)
		}
	}
}

const hole = "{{any}}"

// matches reports whether got is what want describes.
func matches(want, got *stanza.Element) bool {
	if !got.Is(want.Space, want.Name) || len(got.Attr) != len(want.Attr) {
		return false
	}
	for _, w := range want.Attr {
		if !hasAttr(got, w) {
			return false
		}
	}
	open := strings.TrimSpace(want.Text) == hole
	if !open && !fits(normal(want), normal(got)) {
		return false
	}
	rest := got.Children
	for i := range want.Children {
		for open && len(rest) > 0 && !matches(&want.Children[i], &rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 || !matches(&want.Children[i], &rest[0]) {
			return false
		}
		rest = rest[1:]
	}
	return open || len(rest) == 0
}

func hasAttr(e *stanza.Element, w stanza.Attr) bool {
	for _, a := range e.Attr {
		if a.Space == w.Space && a.Name == w.Name {
			return fits(w.Value, a.Value)
		}
	}
	return false
}

// normal returns an element's text, without what only lays out its children.
func normal(e *stanza.Element) string {
	if len(e.Children) > 0 {
		return strings.TrimSpace(e.Text)
	}
	return e.Text
}

// fits reports whether s is want, with any text in the holes.
func fits(want, s string) bool {
	parts := strings.Split(want, hole)
	if len(parts) == 1 {
		return want == s
	}
	last := parts[len(parts)-1]
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}
