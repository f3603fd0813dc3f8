package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func private(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "private FILE")
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode().Perm() != 0o600 {
		ts.Fatalf("%s has mode %v", args[0], info.Mode())
	}
}

func secretShown(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "secretshown FILE")
	if secret := strings.TrimSpace(ts.ReadFile(args[0])); len(secret) < 32 || !strings.Contains(ts.ReadFile("stdout"), `"`+secret+`"`) {
		ts.Fatalf("what is in %s is not shown", args[0])
	}
}

// failing gives so many bytes and then none.
type failing int

func (f *failing) Read(b []byte) (int, error) {
	if int(*f) < len(b) {
		return 0, errors.New("no more")
	}
	*f -= failing(len(b))
	return len(b), nil
}

// TestInitLeavesNothing: not even the directory, wherever it fails.
func TestInitLeavesNothing(t *testing.T) {
	for _, room := range []failing{0, 24} {
		n := newcomer{service: "push.example.org", server: prosodyServer, dir: filepath.Join(t.TempDir(), "new"), random: &room}
		if err := n.write(); err == nil {
			t.Fatal("it did not fail")
		}
		if _, err := os.Stat(n.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is there: %v", err)
		}
	}
}
