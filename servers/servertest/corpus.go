package servertest

import (
	_ "embed"
	"encoding/xml"
	"os/exec"
	"strings"
	"testing"
)

//go:embed stanzas.txt
var stanzas string

// Sample is a stanza on its way to juliet@example.org, who is called Jule in
// hall@rooms.example, and what it is worth.
type Sample struct {
	Name, Stanza string
	Class, Key   string // Key "-": it has none
}

// Corpus is stanzas.txt.
func Corpus(t *testing.T) []Sample {
	t.Helper()
	var all []Sample
	lines := strings.Split(stanzas, "\n")
	for i := 0; i+1 < len(lines); i++ {
		part := strings.Split(lines[i], " | ")
		if len(part) != 3 {
			continue
		}
		i++
		s := Sample{Class: part[0], Name: part[1], Key: part[2], Stanza: lines[i]}
		if err := xml.Unmarshal([]byte(s.Stanza), new(Element)); err != nil {
			t.Fatalf("stanzas.txt:%d: %v", i+1, err)
		}
		all = append(all, s)
	}
	if len(all) < 50 {
		t.Fatalf("%d samples were read", len(all))
	}
	return all
}

// Classified holds a module's classifier to the corpus: a program that reads a
// stanza from each line and writes class, tab and key, "-" for none.
func Classified(t *testing.T, classifier *exec.Cmd) {
	t.Helper()
	corpus := Corpus(t)
	var in strings.Builder
	for _, s := range corpus {
		in.WriteString(s.Stanza + "\n")
	}
	classifier.Stdin = strings.NewReader(in.String())
	out, err := classifier.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(corpus) {
		t.Fatalf("%d answers to %d stanzas: %s", len(lines), len(corpus), out)
	}
	for i, s := range corpus {
		if want := s.Class + "\t" + s.Key; lines[i] != want {
			t.Errorf("%s: %q, want %q\n%s", s.Name, lines[i], want, s.Stanza)
		}
	}
}
