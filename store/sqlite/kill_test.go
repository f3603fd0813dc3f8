package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// victim names, in the environment of a child of the test, the store that it is to write to.
const victim = "ROUSE_TEST_SQLITE_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		fmt.Fprintln(os.Stderr, commitForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// commitForever decides about a few owners at once and says on stdout what it
// was told is stored, a line for each, until it is killed.
func commitForever(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{checkpoint: 30})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var out sync.Mutex
	for i := range 6 {
		go func() {
			key := fmt.Sprintf("user%d@example.org", i)
			for {
				o, err := s.Load(ctx, key)
				if err != nil {
					failed <- err
				}
				c := typical(key, o.Account.Serial+1)
				c.Version = o.Version
				if _, err := s.Commit(ctx, c); err != nil {
					failed <- err
				}
				out.Lock()
				_, err = fmt.Fprintln(os.Stdout, key, c.Account.Serial)
				out.Unlock()
				if err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rouse.db")
	r := rand.New(rand.NewPCG(9, 9))
	for range 5 {
		acks := killAfter(t, path, 1+r.IntN(600))
		s := openAt(t, path, Options{})
		if err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, n := range acks {
			if err := whole(t.Context(), s, key, n); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter lets a child commit, kills it after some lines, and gives all that it said.
func killAfter(t *testing.T, path string, lines int) map[string]uint64 {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), victim+"="+path)
	child.Stderr = os.Stderr
	said, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acks := make(map[string]uint64)
	in := bufio.NewScanner(said)
	for n := 1; in.Scan(); n++ {
		var key string
		var serial uint64
		if _, err := fmt.Sscan(in.Text(), &key, &serial); err != nil {
			t.Fatalf("the child says %q: %v", in.Text(), err)
		}
		acks[key] = serial
		if n == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", child.ProcessState)
	}
	return acks
}
