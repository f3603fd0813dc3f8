package prosody_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

var clients *lab.Clients // one process for all tests

func TestMain(m *testing.M) {
	var err error
	if clients, err = lab.StartClients(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := clients.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// rig is a Prosody with mod_rouse, a fake rouse, and somebody who writes.
type rig struct {
	*servertest.Rig
	p *lab.Prosody
}

func newRig(t *testing.T, change ...func(*lab.Options)) *rig {
	t.Helper()
	t.Parallel() // they wait more than they work
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	opt := lab.Options{Dir: t.TempDir(), AckDelay: 2 * time.Second,
		Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	for _, f := range change {
		f(&opt)
	}
	p, err := lab.StartProsody(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Prosody's log:\n%s", warnings(p))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{Rig: servertest.NewRig(t, ctx, p, clients, opt.Users), p: p}
}

// warnings is what Prosody logged about mod_rouse and whatever is not right.
func warnings(p *lab.Prosody) string {
	var keep []string
	for _, line := range strings.Split(p.LogTail(20000), "\n") {
		f := strings.Fields(line)
		if len(f) > 4 && (strings.HasSuffix(f[3], ":rouse") || f[4] == "warn" || f[4] == "error") || strings.HasPrefix(line, "\t") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}
