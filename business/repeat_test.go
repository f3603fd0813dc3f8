package business

import (
	"testing"
	"time"

	"rouse/session"
)

const asleep = phone + "phone ended\n"

const woken = asleep + `
	account archived message s:0 chat=romeo              => b wake phone message at once
	claim
	sent phone message                                   => b sent phone message
`

var repeats = []struct {
	name, script string
}{
	{"again and again, and back", woken + `
		owed                                                 => phone message for 1 in 5m0s
		+5m claim
		sent phone message                                   => sent phone message
		owed                                                 => phone message for 1 in 15m0s
		+15m claim
		sent phone message                                   => sent phone message
		owed                                                 => phone message for 1 in 1h0m0s
		+1h phone bind                                       => back phone nothing
		owed                                                 => -
		account archived message s:1                         => b quiet phone message
	`},
	{"back before that is nothing to withdraw", woken + `
		+1m phone bind                                       => back phone nothing
		owed                                                 => -
	`},
	{"back while it is woken again", woken + `
		+5m claim
		phone bind                                           => withdraw phone message; back phone nothing
		sent phone message                                   => -
		owed                                                 => -
	`},
	{"missing, and woken all the same for what is new", woken + `
		+5m claim
		sent phone message                                   => sent phone message
		+15m claim
		sent phone message                                   => sent phone message
		+1h claim
		sent phone message                                   => sent phone message; missing phone nothing
		owed                                                 => -
		+5h account archived group s:1                       => b wake phone group at once
		claim
		sent phone group                                     => b sent phone group
		owed                                                 => -
		phone bind                                           => back phone nothing
		phone ended                                          => -
		account archived message s:2                         => b wake phone message at once
		claim
		sent phone message                                   => b sent phone message
		owed                                                 => phone message for 1 in 5m0s
	`},
	{"what is new takes its place, and then it is woken for all", woken + `
		+1m account archived group s:1                       => b wake phone group at once
		owed                                                 => phone group for 1 in 0s
		claim
		sent phone group                                     => b sent phone group
		owed                                                 => phone message for 2 in 5m0s
	`},
	{"what is new does not begin all over", woken + `
		+5m claim
		sent phone message                                   => sent phone message
		+10m account archived message s:1                    => b wake phone message at once
		claim
		sent phone message                                   => b sent phone message
		owed                                                 => phone message for 2 in 15m0s
	`},
	{"what is new and read elsewhere leaves it as it was", "desk bind\n" + woken + `
		+1m account archived message s:1 chat=nurse          => b wake phone message at once
		desk read chat=nurse                                 => r withdraw phone message
		owed                                                 => phone message for 1 in 4m0s
	`},
	{"read elsewhere: nothing is left to be woken for", "desk bind\n" + woken + `
		+4m desk read chat=romeo                             => r too-late phone message
		owed                                                 => -
	`},
	{"some of it is read elsewhere", "desk bind\n" + woken + `
		+1m account archived message s:1 chat=nurse          => b wake phone message at once
		claim
		sent phone message                                   => b sent phone message
		owed                                                 => phone message for 2 in 5m0s
		desk read chat=romeo                                 => r too-late phone message
		owed                                                 => phone message for 1 in 5m0s
	`},
	{"read elsewhere while it is sent", "desk bind\n" + asleep + `
		account archived message s:0 chat=romeo              => b wake phone message at once
		claim
		desk read chat=romeo                                 => r too-late phone message
		desk read chat=romeo                                 => -
		sent phone message                                   => b sent phone message
		owed                                                 => -
	`},
	{"a call that was answered elsewhere while it was sent is not missed", "desk bind\n" + asleep + `
		account call s:0 chat=k1                             => b' wake phone call at once
		claim
		desk taken chat=k1                                   => r too-late phone call
		gave-up phone call                                   => b' gave-up phone call
		owed                                                 => -
	`},
	{"a call that rang is a message by now", asleep + `
		account call s:0 chat=k1                             => b' wake phone call at once
		claim
		sent phone call                                      => b' sent phone call
		account retracted chat=k1                            => r too-late phone call
		owed                                                 => phone message for 1 in 5m0s
	`},
	{"a call rang where somebody may look: nobody is expected", phone + `
		account call s:0                                     => b' wake phone call at once
		claim
		sent phone call                                      => b' sent phone call
		owed                                                 => -
	`},
	{"a message joins while it is woken again", woken + `
		+5m claim
		account archived message s:1                         => b merged phone message
		sent phone message                                   => sent phone message; merged phone message
		owed                                                 => phone message for 1 in 0s
		claim
		sent phone message                                   => sent phone message
		owed                                                 => phone message for 2 in 5m0s
	`},
	{"the provider is asked once more", woken + `
		+5m claim
		again phone message                                  => again phone message
		owed                                                 => phone message for 1 in 1s
		+1s claim
		sent phone message                                   => sent phone message
		owed                                                 => phone message for 1 in 15m0s
	`},
	{"what is new takes the place of one that the provider gave back", woken + `
		+5m claim
		account archived group s:1                           => b wake phone group at once
		again phone message                                  => again phone message; withdraw phone message
		claim
		sent phone group                                     => b sent phone group
		owed                                                 => phone message for 2 in 5m0s
	`},
	{"dead: not expected", woken + `
		account gone node=phone                              => dead phone nothing
		owed                                                 => -
	`},
	{"a server that tells of no sessions", `
		account publish message node=phone                   => p wake phone message at once
		claim
		sent phone message                                   => p sent phone message
		owed                                                 => -
	`},
	{"active again without a word", phone + `
		phone hibernated out=1 unread=message@1              => a2 wake phone message at once
		claim
		sent phone message                                   => a2 sent phone message
		owed                                                 => phone message for 1 in 5m0s
		phone csi active                                     => back phone nothing
		owed                                                 => -
	`},
}

// TestRepeat: a device that was woken and does not come back is woken again.
func TestRepeat(t *testing.T) {
	for _, c := range repeats {
		t.Run(c.name, func(t *testing.T) {
			h := newHistory(t)
			h.policy.Repeat, h.policy.RepeatFor = []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour}, 2*time.Hour
			h.play(c.script)
		})
	}
}

// TestNotExpected: whose app does not connect when it is woken is not expected, nor
// who is registered with the push service of others.
func TestNotExpected(t *testing.T) {
	for name, once := range map[string]bool{"an app that stays away": true, "a third party": false} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			if !once {
				h.policy.Service = "another.example"
			}
			h.play(asleep + "account archived message s:0\nclaim")
			k := session.WakeKey{Address: addr("phone"), Class: session.Message}
			h.a, _ = Settle(h.a, k, h.a.Pending[k], session.Settlement{Verdict: session.Sent, At: h.now, Once: once}, h.policy)
			h.play("owed => -")
			if x := h.a.Endpoints[addr("phone")].Expected; x != (session.Expected{}) {
				t.Errorf("expected: %+v", x)
			}
		})
	}
}
