package business

import (
	"fmt"
	"testing"
	"time"

	"rouse/session"
)

const phone = "phone bind\nphone enable\n"

var rules = []struct {
	name, script string
}{
	{"online: nobody", phone + `
		account archived message s:1                         => b quiet phone message
	`},
	{"inactive: nobody", phone + `
		phone csi inactive                                   => -
		account archived message s:1                         => b quiet phone message
	`},
	{"a1: ack delayed, and again for every further stanza until heard from", phone + `
		phone delayed out=1 unread=message@1                 => a1 wake phone message at once
		claim
		sent phone message                                   => a1 sent phone message
		+40s phone late message i:2 out=2                    => a1 wake phone message at once
		claim
		sent phone message
		+40s phone heard active acked=2                      => back phone nothing
		+1s account archived message s:3                     => b quiet phone message
		+30s phone delayed out=3 acked=2 unread=message@3    => a1 wake phone message at once
	`},
	{"a1: what is archived for a delayed session wakes once", phone + `
		phone delayed out=1 unread=message@1                 => a1 wake phone message at once
		claim
		sent phone message
		+40s account archived message s:2                    => b wake phone message at once
		phone late message s:2 out=2                         => a1 covered phone message
		claim
		sent phone message
		+50s phone hibernated out=2 unread=message@2         => -
	`},
	{"a1: the room's message too", phone + `
		phone delayed out=1 unread=group@1                   => a1 wake phone group at once
		claim
		sent phone group
		+40s phone late group i:r out=2                      => a1 wake phone group at once
	`},
	{"a2: cut with unread stanzas", phone + `
		phone hibernated out=9 acked=7 unread=message@9      => a2 wake phone message at once
	`},
	{"a2: cut with nothing worth a wake", phone + `
		phone hibernated out=9 acked=7                       => -
		+1s phone queued nothing out=10                      => -
	`},
	{"a2: only the most important wakes", phone + `
		phone hibernated out=9 unread=group@8 unread=message@9  => a2 wake phone message at once
	`},
	{"a3: stanzas while hibernated are coalesced", phone + `
		phone hibernated                                     => -
		+1s phone queued message i:1 out=1                   => a3 wake phone message at once
		claim
		sent phone message
		+1s phone queued message i:2 out=2                   => a3 wake phone message in 4s
		+1s phone queued message i:3 out=3                   => a3 merged phone message
	`},
	{"a3: what comes while the wake is being sent is owed again", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		claim
		phone queued message i:2 out=2                       => a3 merged phone message
		sent phone message                                   => a3 sent phone message; a3 merged phone message
	`},
	{"a4: resumed and cut again without an ack: the unread stanza wakes once more", phone + `
		phone hibernated
		phone queued message i:1 out=5                       => a3 wake phone message at once
		claim
		sent phone message
		+10s phone resumed active acked=4                    => a4 back phone nothing
		+10s phone hibernated out=5 acked=4 unread=message@5 => a2 wake phone message at once
	`},
	{"a4: resumed, and the end of its old process was told before", phone + `
		phone hibernated out=1 acked=1                       => -
		phone ended                                          => -
		phone resumed active acked=1                         => -
		account archived message s:1                         => b quiet phone message
		phone hibernated out=2 acked=1 unread=message@2/s:1  => a2 wake phone message at once
	`},
	{"a4: resumed and acknowledged", phone + `
		phone hibernated
		phone queued message i:1 out=5                       => a3 wake phone message at once
		phone resumed active acked=4                         => a4 withdraw phone message
		+10s phone hibernated out=5 acked=5                  => -
	`},
	{"a new sleep waits for no window of the last one", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		claim
		sent phone message
		+1s phone resumed active acked=1                     => a4 back phone nothing
		+1s phone hibernated out=1 acked=1
		+1s phone queued message i:2 out=2                   => a3 wake phone message at once
	`},
	{"b and c: archived and offline are one stanza", phone + `
		phone ended                                          => -
		account archived message s:1                         => b wake phone message at once
		account offline message s:1                          => c covered phone message
	`},
	{"b: the phone sleeps, the desktop is active", phone + `
		desk bind
		desk enable
		phone ended
		account archived message s:1                         => b quiet desk message; b wake phone message at once
	`},
	{"a3: the phone is hibernated, the desktop is active", phone + `
		desk bind
		desk enable
		phone hibernated
		account archived message s:1                         => b quiet desk message; b quiet phone message
		phone queued message s:1 out=1                       => a3 wake phone message at once
	`},
	{"b': a call rings everywhere but where the user is certainly reached", phone + `
		desk bind
		desk enable
		account call i:c heard=desk                          => b' quiet desk call; b' wake phone call at once
		phone queued call i:c out=3                          => a3 covered phone call
	`},
	{"b': a call waits for no window", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		claim
		sent phone message
		+1s account call i:c                                 => b' wake phone call at once
	`},
	{"b': a second call rings as long as the first", phone + `
		phone hibernated
		account call i:c                                     => b' wake phone call at once
		claim
		again phone call                                     => b' again phone call
		+40s account call i:d                                => b' merged phone call
		+10s claim
		sent phone call                                      => b' sent phone call
	`},
	{"b': a call that was left to a line that is dead rings while it may", phone + `
		account call s:c heard=phone                         => b' quiet phone call
		+5s phone hibernated out=3 unread=call@3@s:c         => a2 wake phone call at once; a2 covered phone message
		phone session hibernated out=3 unread=call@3@s:c     => -
	`},
	{"b': the same to a client that is silent", phone + `
		account call s:c heard=phone                         => b' quiet phone call
		+30s phone delayed out=3 unread=call@3@s:c           => a1 wake phone call at once; a1 covered phone message
		+9s phone hibernated out=3 unread=call@3@s:c         => -
	`},
	{"b': who has given up is not rung for", phone + `
		account call s:c heard=phone                         => b' quiet phone call
		+50s phone hibernated out=3 unread=call@3@s:c        => a2 wake phone message at once
	`},
	{"b': a call that could not be told of while it rang is a missed one", phone + `
		phone hibernated
		account call s:c                                     => b' wake phone call at once
		claim
		gave-up phone call                                   => b' gave-up phone call; b' wake phone message at once
	`},
	{"b': a call takes no message along that came after it", phone + `
		account call s:c                                     => b' wake phone call at once
		phone hibernated out=5 unread=call@4@s:c unread=message@5@s:m => a2 wake phone message at once
	`},
	{"b': a call that was not picked up before the line was cut is missed", phone + `
		account call i:c heard=phone                         => b' quiet phone call
		+5s phone hibernated out=3 unread=call@3             => a2 wake phone message at once
	`},
	{"a higher class does not wait for the window of a lower", phone + `
		phone hibernated
		phone queued group i:1 out=1                         => a3 wake phone group at once
		claim
		sent phone group
		+1s phone queued message i:2 out=2                   => a3 wake phone message at once
	`},
	{"nothing wakes nobody", phone + `
		phone ended
		account archived nothing s:1                         => -
		account offline nothing s:1                          => -
	`},
	{"c: out of the queue of a session that died", phone + `
		tablet bind
		tablet enable
		tablet ended
		account archived message s:1                         => b quiet phone message; b wake tablet message at once
		phone hibernated out=1 unread=message@1              => a2 wake phone message at once
		claim
		sent phone message
		sent tablet message
		+600s phone offline message s:1 out=1                => c covered phone message; c covered tablet message
	`},
	{"c: the same without an archive", phone + `
		tablet bind
		tablet enable
		tablet ended
		phone hibernated out=1 unread=message@1              => a2 wake phone message at once
		claim
		sent phone message
		+600s phone offline message i:1 out=1                => c covered phone message; c wake tablet message at once
	`},
	{"repeats change nothing", phone + `
		phone hibernated
		phone queued message i:1 out=1 repeat=9              => a3 wake phone message at once
		phone queued message i:1 out=1 repeat=9              => -
		phone queued message i:9 out=9 repeat=8              => -
		phone ended repeat=10                                => -
		phone bind repeat=1                                  => -
		phone queued message i:1 out=1 repeat=9              => -
	`},
	{"a client that binds afresh is not asleep", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		phone2 bind resource=phone                           => withdraw phone message
		account archived message s:2                         => b quiet phone message
	`},
	{"disable takes everything of the endpoint", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		account disable node=phone                           => withdraw phone message; quiet phone nothing
		phone queued message i:2 out=2                       => a3 quiet nobody message
	`},
	{"a dead endpoint is not woken until it registers again", phone + `
		phone hibernated
		phone queued message i:1 out=1                       => a3 wake phone message at once
		claim
		died phone message                                   => dead phone nothing
		+9s phone queued message i:2 out=2                   => a3 dead phone message
		account renew node=phone                             => quiet phone nothing
		+9s phone queued message i:3 out=3                   => a3 wake phone message at once
	`},
	{"what the server published while rouse was away is not doubled", phone + `
		phone hibernated
		phone queued message i:1 out=1 published=phone       => a3 covered phone message
		+1s phone queued message i:2 out=2                   => a3 wake phone message at once
		account published message i:2 node=phone             => covered phone message
	`},
	{"p: a server publishes", `
		account publish silent node=n1                       => p wake n1 silent at once
		account publish message node=n1                      => p wake n1 message at once
		account publish silent node=n1                       => p merged n1 silent
	`},
	{"deleted: everything is gone", phone + `
		phone hibernated out=1 unread=message@1
		account deleted                                      => -
		account archived message s:1                         => b quiet nobody message
	`},
	{"repeats of what a dying session gave back change nothing", phone + `
		phone offline message out=1 repeat=9                 => c wake phone message at once
		claim
		sent phone message
		+9s phone offline message out=1 repeat=9             => -
	`},
	{"the picture makes up for an event that was dropped, though a later one arrived", phone + `
		phone queued nothing out=5 repeat=9                  => -
		phone session hibernated out=5 acked=3 unread=message@4 repeat=9  => a2 wake phone message at once
		phone session hibernated out=5 acked=3 unread=message@4 repeat=8  => -
	`},
	{"a call that the picture tells of first still rings, once", phone + `
		phone session hibernated out=4 acked=3 unread=call@4@s:c => a2 wake phone message at once
		account archived call s:c                            => b quiet phone call
		account call s:c                                     => b' wake phone call at once
		phone queued call s:c out=4                          => a3 covered phone call
	`},
	{"a call that rang is not told again as a missed one", phone + `
		account call s:c                                     => b' wake phone call at once
		phone hibernated out=4 acked=3 unread=call@4@s:c     => a2 covered phone message
	`},
	{"the picture wakes whom we missed, and settles who is back", phone + `
		phone session hibernated out=4 acked=3 unread=message@4  => a2 wake phone message at once
		phone session hibernated out=4 acked=3 unread=message@4  => -
		phone session active out=4 acked=4                   => withdraw phone message
	`},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { newHistory(t).play(r.script) })
	}
}

func TestASecondCallHasALifeOfItsOwn(t *testing.T) {
	h := newHistory(t)
	h.play(phone + "phone hibernated\naccount call i:c\nclaim\nagain phone call\n+40s account call i:d")
	w := h.a.Pending[session.WakeKey{Address: addr("phone"), Class: session.Call}]
	if !w.Since.Equal(h.now) || w.Due.After(h.now) || w.Count != 2 {
		t.Errorf("the second call is owed as %+v at %v", w, h.now)
	}
}

func TestSweepEndsWhatThePictureDidNotShow(t *testing.T) {
	h := newHistory(t)
	h.play(phone + "tablet bind\ntablet enable\nphone hibernated out=1 unread=message@1")
	began := session.Mark{Epoch: 1, Seq: h.n + 1}
	h.now = h.now.Add(-time.Minute) // clocks prove nothing
	h.play("tablet session active")
	h.play("account endpoint node=tablet")
	a, reasons := Sweep(h.a, began, h.policy, h.now)
	if len(a.Sessions) != 1 || len(a.Endpoints) != 1 || len(a.Pending) != 0 {
		t.Errorf("left: %+v", a)
	}
	if _, ok := a.Endpoints[addr("tablet")]; !ok {
		t.Errorf("the tablet was shown and is gone")
	}
	if len(reasons) == 0 {
		t.Error("nothing was recorded")
	}
}

// The module started again: its server may have lost the session, and then only
// the archive's report says that somebody is to be woken. If it has not, the
// session's own report is about the same stanza.
func TestArchivedBeforeThePicture(t *testing.T) {
	for _, state := range []string{"hibernated", "csi inactive"} {
		h := newHistory(t)
		h.play(phone + "phone " + state)
		archived := session.Event{Kind: session.Archive, Epoch: 1, N: h.n + 1, Account: "juliet@example.org", Class: session.Message, Key: "s:1"}
		if a, _ := Decide(h.a, archived, h.policy, h.now); len(a.Pending) != 0 {
			t.Errorf("%s: woken by the archive, though its session is there", state)
		}
		archived.Epoch, archived.N = 2, 1
		a, _ := Decide(h.a, archived, h.policy, h.now)
		if len(a.Pending) != 1 {
			t.Errorf("%s: nobody was woken", state)
		}
		queued := session.Event{Kind: session.Queue, Epoch: 2, N: 1, Account: "juliet@example.org", Session: "phone", Out: 1, Class: session.Message, Key: "s:1"}
		a, _ = Decide(a, queued, h.policy, h.now)
		for _, w := range a.Pending {
			if w.Count != 1 {
				t.Errorf("%s: one stanza, counted %d times", state, w.Count)
			}
		}
	}
}

func TestDecideLeavesItsInputAlone(t *testing.T) {
	h := newHistory(t)
	h.play(phone + "phone hibernated out=1 unread=message@1")
	before := fmt.Sprintf("%+v", h.a)
	Decide(h.a, session.Event{Kind: session.Resume, Session: "phone", Epoch: 1, N: 99}, h.policy, h.now)
	if after := fmt.Sprintf("%+v", h.a); before != after {
		t.Errorf("the account that was passed changed:\n%s\n%s", before, after)
	}
}
