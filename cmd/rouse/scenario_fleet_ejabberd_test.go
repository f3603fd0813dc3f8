package main

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rouse/servers/lab"
)

// pairOnEjabberd is pair with an ejabberd.
func pairOnEjabberd(t *testing.T) (a, b *play) {
	t.Helper()
	a = prepareOn(t, func(ctx context.Context, dir string, program, env []string) (*scene, error) {
		e, err := lab.StartEjabberd(ctx, lab.EjabberdOptions{Dir: filepath.Join(dir, "ejabberd"), Users: people})
		if err != nil {
			return nil, err
		}
		return newSceneOn(e, dir, program, env)
	})
	b, _ = a.pair()
	return a, b
}

// TestHolderIsKilledOnEjabberd: ejabberd lets another process in within 5 s, and
// what came meanwhile wakes once.
func TestHolderIsKilledOnEjabberd(t *testing.T) {
	a, b := pairOnEjabberd(t)
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.sends(lab.Chat(juliet, "m1", "body of m1"))
	a.were("phone")
	a.kills()
	b.follows(a)
	died := mark()
	a.sends(lab.Chat(juliet, "m2", "body of m2"))
	b.takesOver(died, 5*time.Second)
	b.were("phone", "phone")
}

// TestHolderIsPausedOnEjabberd: ejabberd would deal stanzas out to both, and every
// other one would get lost in the one that does not move.
func TestHolderIsPausedOnEjabberd(t *testing.T) {
	a, b := pairOnEjabberd(t)
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.sends(lab.Chat(juliet, "m1", "body of m1"))
	a.were("phone")
	a.past = a.owed()
	b.follows(a)
	a.signals(syscall.SIGSTOP)
	paused := mark()
	a.sends(lab.Chat(juliet, "m2", "body of m2")) // reported to the one that does not move
	b.takesOver(paused, 5*time.Second)
	b.were("phone", "phone")
	a.signals(syscall.SIGCONT)
	a.standing()
	want := []string{"phone", "phone"}
	for _, id := range []string{"m3", "m4", "m5"} {
		a.sends(lab.Chat(juliet, id, "body of "+id))
		want = append(want, "phone")
		b.were(want...)
	}
	a.standing()
	if n := a.owed(); n != a.past {
		t.Errorf("the one that was paused decided %d wakes more", n-a.past)
	}
}
