package servertest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/xml"
	"os/exec"
	"strings"
	"testing"
)

//go:embed stanzas.txt
var stanzas string

//go:embed chats.txt
var chats string

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
	read(t, "stanzas.txt", stanzas, 3, 50, func(part []string, stanza string) {
		all = append(all, Sample{Class: part[0], Name: part[1], Key: part[2], Stanza: stanza})
	})
	return all
}

// read calls one for each sample of a file: what stands in so many parts in the line
// above a stanza, and the stanza.
func read(t *testing.T, name, text string, parts, atLeast int, one func(part []string, stanza string)) {
	t.Helper()
	found := 0
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i++ {
		part := strings.Split(lines[i], " | ")
		if len(part) != parts {
			continue
		}
		i++
		if err := xml.Unmarshal([]byte(lines[i]), new(Element)); err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
		one(part, lines[i])
		found++
	}
	if found < atLeast {
		t.Fatalf("%s: %d samples were read", name, found)
	}
}

// Classified holds a module's classifier to both corpora: a program that reads a
// stanza from each line and writes class, key, and what it says of a chat or a call,
// with tabs between, and "-" for none.
func Classified(t *testing.T, classifier *exec.Cmd) {
	t.Helper()
	type answer struct{ name, class, key, says string }
	var in strings.Builder
	var wants []answer
	for _, s := range Corpus(t) {
		in.WriteString(s.Stanza + "\n")
		wants = append(wants, answer{name: s.Name, class: s.Class, key: s.Key})
	}
	read(t, "chats.txt", chats, 2, 20, func(part []string, stanza string) {
		in.WriteString(stanza + "\n")
		wants = append(wants, answer{name: part[1], says: said(part[0])})
	})
	classifier.Stdin = strings.NewReader(in.String())
	out, err := classifier.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(wants) {
		t.Fatalf("%d answers to %d stanzas: %s", len(lines), len(wants), out)
	}
	for i, want := range wants {
		got := strings.Split(lines[i], "\t")
		if len(got) != 3 {
			t.Errorf("%s: %q", want.name, lines[i])
			continue
		}
		if want.says == "" && (got[0] != want.class || got[1] != want.key) {
			t.Errorf("%s: %s and %s, want %s and %s", want.name, got[0], got[1], want.class, want.key)
		}
		if want.says != "" && got[2] != want.says {
			t.Errorf("%s: says %q, want %q", want.name, got[2], want.says)
		}
	}
}

// said makes of "read romeo@example.net to m1" what a module tells of that.
func said(text string) string {
	word := strings.Fields(text)
	if len(word) < 2 {
		return text
	}
	what := word[1]
	if word[0] == "call" || word[0] == "taken" || word[0] == "retracted" {
		what = "call\x00" + what
	}
	if word[0] == "call" {
		word[0] = "chat"
	}
	told := word[0] + " " + short(Juliet+"\x00"+what)
	if len(word) < 4 {
		return told
	}
	if strings.HasPrefix(word[3], "s:") {
		return told + " " + word[3]
	}
	return told + " " + short(word[3])
}

// Juliet is whose stanzas they are.
const Juliet = "juliet@example.org"

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
