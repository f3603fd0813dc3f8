package business

import (
	"testing"
	"time"

	"rouse/session"
)

// found are histories in which the rules once did something else than the oracle
// (business/oracle), and were wrong.
var found = map[string]string{
	"what was told in one sleep and is not acknowledged is told again in the next": `
		phone queued message s:1 out=1           => a3 wake phone message at once
		claim
		sent phone message
		phone resumed active acked=0
		+20s phone hibernated unread=message@1@s:1 => a2 wake phone message at once`,
	"what was told hides nothing that was not": `
		account offline message s:1              => c wake phone message at once
		claim
		sent phone message
		+10s phone hibernated unread=message@5@s:1 unread=group@8@s:2 => a2 wake phone group at once`,
	"a call out of a dead session's queue does not ring any more": `
		account call s:c heard=phone             => b' wake phone call at once
		claim
		sent phone call
		+10m phone offline call s:c out=1        => c wake phone message at once`,
	"a call out of a dead session's queue rings while somebody may wait": `
		phone resumed active
		account call s:c heard=phone             => b' quiet phone call
		+5s phone offline call s:c               => c wake phone call at once; c covered phone message`,
	"what a provider gave back goes with what is more important": `
		phone queued group s:1 out=1             => a3 wake phone group at once
		claim
		phone queued message s:2 out=2           => a3 wake phone message at once
		again phone group                        => a3 again phone group; a3 withdraw phone group
		claim
		sent phone message                       => a3 sent phone message
		+1h claim
		sent phone group                         => -`,
	"what a provider gave back takes along what is less important": `
		phone queued message s:1 out=1           => a3 wake phone message at once
		claim
		phone queued group s:2 out=2             => a3 wake phone group in 5s
		again phone message                      => a3 again phone message; a3 withdraw phone group`,
	"what came while a wake was being sent goes with what is more important": `
		phone queued group s:1 out=1             => a3 wake phone group at once
		claim
		phone queued group s:2 out=2             => a3 merged phone group
		phone queued message s:3 out=3           => a3 wake phone message at once
		sent phone group                         => a3 sent phone group; a3 merged phone group
		claim
		sent phone message                       => a3 sent phone message
		+1h claim
		sent phone group                         => -`,
	"a message waits for the window of the last one, whatever waits already": `
		phone queued message s:1 out=1           => a3 wake phone message at once
		claim
		sent phone message
		+1s phone queued group s:2 out=2         => a3 wake phone group in 4s
		+1s phone queued message s:3 out=3       => a3 wake phone message in 3s`,
	"a call that was withdrawn before it rang is none": `
		account call                             => b' wake phone call at once
		claim
		sent phone call
		+1s account call                         => b' wake phone call at once
		claim
		sent phone call
		+1s account call                         => b' wake phone call in 58s
		phone resumed active
		phone hibernated
		account call                             => b' wake phone call in 58s`,
}

func TestFound(t *testing.T) {
	for name, script := range found {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.policy.Calls = 2
			h.play("phone bind\nphone enable\nphone hibernated\n" + script)
		})
	}
}

// TestMissedCallsAreCounted: a call that comes while one is given up rings, and is not
// told of as missed too.
func TestMissedCallsAreCounted(t *testing.T) {
	h := newHistory(t)
	h.play(`
		phone bind
		phone enable
		phone hibernated
		account call s:c         => b' wake phone call at once
		claim
		+40s account call s:d    => b' merged phone call
		+5s gave-up phone call   => b' gave-up phone call; b' merged phone call; b' wake phone message at once
	`)
	for class, want := range map[session.Class]int{session.Call: 1, session.Message: 1} {
		if w := h.a.Pending[session.WakeKey{Address: addr("phone"), Class: class}]; w.Count != want {
			t.Errorf("%s: %+v", class, w)
		}
	}
}

// TestPublishedOfAMergedRow: what the server itself published is not sent again,
// though a more important wake has taken it along.
func TestPublishedOfAMergedRow(t *testing.T) {
	h := newHistory(t)
	h.play(`
		phone bind
		phone enable
		phone hibernated
		account offline message s:1              => c wake phone message at once
		account offline group s:2                => c merged phone group
		account published group s:2 node=phone   => covered phone group
	`)
	if w := h.a.Pending[session.WakeKey{Address: addr("phone"), Class: session.Message}]; w.Count != 1 {
		t.Errorf("owed: %+v", w)
	}
}

// TestACallRingsAsLongAsTheLast: a call that joins one that is being sent rings for
// its own time, should that one have to be tried again.
func TestACallRingsAsLongAsTheLast(t *testing.T) {
	h := newHistory(t)
	h.play(`
		phone bind
		phone enable
		phone hibernated
		account call s:1 => b' wake phone call at once
		claim
		+40s account call s:2 => b' merged phone call
		again phone call
	`)
	if w := h.a.Pending[session.WakeKey{Address: addr("phone"), Class: session.Call}]; !w.Since.Equal(h.now) {
		t.Errorf("since %v, want %v", w.Since, h.now)
	}
}

// TestAnOldWakeOfADeletedAccount: what is said of it settles nothing that the account,
// when it is there again, is owed.
func TestAnOldWakeOfADeletedAccount(t *testing.T) {
	h := newHistory(t)
	key := session.WakeKey{Address: addr("phone"), Class: session.Message}
	h.play("phone bind\nphone enable\naccount offline message s:1")
	old := h.a.Pending[key]
	old.Sent = 1
	h.play("account deleted\n+2s phone bind\nphone enable\naccount offline message s:2")
	h.a, _ = Settle(h.a, key, old, session.Settlement{Verdict: session.Sent, At: h.now.Add(time.Second)}, h.policy)
	if _, owed := h.a.Pending[key]; !owed {
		t.Error("the wake of the new account is gone")
	}
}
