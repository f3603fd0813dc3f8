package pubsub_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// part gives a part of testdata/servers.txtar.
func part(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/servers.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("no part %q", name)
	return ""
}

// stanzas gives what servers send, one by one.
func stanzas(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(part(t, "server sends")), "\n")
}

func id(iq string) string {
	_, rest, _ := strings.Cut(iq, "id='")
	id, _, _ := strings.Cut(rest, "'")
	return id
}
