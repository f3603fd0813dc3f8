package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is something that both servers do in their own way, whatever the
// module and rouse do. None decides whether a message with a body wakes a device
// that sleeps.
type difference struct {
	name              string // as docs/servers.md has it
	prosody, ejabberd string
	measured          string // by which test
}

// differences are all of them. A test that is not the same on both servers names
// one: differs.
var differences = []difference{
	{
		name:     "queues at the stop",
		prosody:  "what a sleeping session has in its queue is stored offline when the server stops, where no archive has it",
		ejabberd: "it is lost: the host is not routed to any more when the sessions end",
		measured: "TestServerRestarted/without_an_archive,_stopped,_rouse_up",
	},
	{
		name:     "requests for others",
		prosody:  "an enable or a disable that is addressed to somebody else is refused",
		ejabberd: "it is taken for one for the sender's own account",
		measured: "TestUsersSendWhatTheyLike",
	},
	{
		name:     "rooms of a replaced session",
		prosody:  "a session that came by WebSocket, sleeps and is replaced stays in its rooms, which send to the new one of that name",
		ejabberd: "it leaves them, as every other session does",
		measured: "TestReplacedInARoom/by_WebSocket",
	},
}

// differs is true; it is a mistake to name what is not in the table.
func differs(name string) bool {
	if !slices.ContainsFunc(differences, func(d difference) bool { return d.name == name }) {
		panic("no declared difference: " + name)
	}
	return true
}

// TestDifferences: few are declared, and operators can read the same.
func TestDifferences(t *testing.T) {
	if len(differences) > 8 {
		t.Errorf("%d differences are declared, at most 8 may be", len(differences))
	}
	doc, err := os.ReadFile("../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "\n## What differs between the servers\n")
	if !found {
		t.Fatal("docs/servers.md has no section on what differs")
	}
	var told, declared []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*[^| ]) *\|[^|]*\|[^|]*\| `+"`"+`(Test\S*)`+"`"+` \|$`).FindAllStringSubmatch(section, -1) {
		told = append(told, row[1]+": "+row[2])
	}
	for _, d := range differences {
		declared = append(declared, d.name+": "+d.measured)
		if d.prosody == d.ejabberd {
			t.Errorf("%s: no difference", d.name)
		}
	}
	if !slices.Equal(told, declared) {
		t.Errorf("docs/servers.md tells of %q, declared are %q", told, declared)
	}
}
