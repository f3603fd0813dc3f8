package pubsub_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// stanzas gives what servers send in testdata/servers.txtar, one by one.
func stanzas(t *testing.T) []string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/servers.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(a.Files[0].Data)), "\n")
}

func id(iq string) string {
	_, rest, _ := strings.Cut(iq, "id='")
	id, _, _ := strings.Cut(rest, "'")
	return id
}
