package business

import (
	"fmt"
	"testing"
	"time"

	"rouse/session"
)

// TestCallsRingTenTimesAMinute: calls wait for no window, nor behind a message,
// until one in a minute is too many.
func TestCallsRingTenTimesAMinute(t *testing.T) {
	h := newHistory(t)
	h.play(`
		phone bind
		phone enable
		phone hibernated
		phone queued message s:m out=1           => a3 wake phone message at once
	`)
	start := h.now
	for range 10 {
		h.play(`
			account call call               => b' wake phone call at once
			claim
			sent phone call
			+1s claim
		`)
	}
	h.play(`
		account call call               => b' wake phone call in 50s
		account call call               => b' merged phone call
	`)
	if w := h.a.Pending[session.WakeKey{Address: addr("phone"), Class: session.Call}]; !w.Due.Equal(start.Add(time.Minute)) || w.Count != 2 {
		t.Errorf("%+v, want it due a minute after the first, at %v", w, start.Add(time.Minute))
	}
	if n := len(h.a.Endpoints[addr("phone")].Calls); n > 10 {
		t.Errorf("%d calls are remembered", n)
	}
	h.policy.Calls = 0
	h.play(`
		+1m claim
		sent phone call
		account call call               => b' wake phone call at once
	`)
}

// TestCallsAcrossMinutes: the limit holds in any minute, not in those of a clock.
func TestCallsAcrossMinutes(t *testing.T) {
	p, now := Policy{Calls: 3}, time.Unix(1_700_000_000, 0)
	var ep session.Endpoint
	var at time.Time
	var rang []time.Time
	for range 200 {
		at, ep = calls(ep, p, now)
		rang = append(rang, at)
		now = at.Add(7 * time.Second) // until then another one joins it
	}
	for i, t0 := range rang {
		if i+3 < len(rang) && rang[i+3].Sub(t0) < time.Minute {
			t.Fatalf("four in a minute from %v on: %v", t0, rang[i:i+4])
		}
	}
	if took := rang[len(rang)-1].Sub(rang[0]); took > 67*time.Minute {
		t.Errorf("200 calls took %v, three a minute is more", took)
	}
}

func TestThreeSilentWakesAnHour(t *testing.T) {
	h := newHistory(t)
	h.play(`
		phone bind
		phone enable
		phone hibernated
	`)
	held := func() time.Duration {
		until, _ := Hold(h.a, session.WakeKey{Address: addr("phone"), Class: session.Silent}, h.policy, h.now)
		if until.IsZero() {
			return 0
		}
		return until.Sub(h.now)
	}
	for i := range 3 {
		if d := held(); d != 0 {
			t.Fatalf("wake %d is held for %v", i, d)
		}
		h.play(fmt.Sprintf("phone queued silent out=%d", i+1))
		h.play(`
			+6s claim
			sent phone silent
			+4m claim
		`)
	}
	if d := held(); d != 47*time.Minute+48*time.Second {
		t.Errorf("the fourth is held for %v", d)
	}
	shared := h.a
	h.now = h.now.Add(48 * time.Minute)
	if d := held(); d != 0 {
		t.Errorf("after an hour it is held for %v more", d)
	}
	h.play(`
		phone queued silent out=9
		claim
		sent phone silent
	`)
	if n := len(h.a.Endpoints[addr("phone")].Silents); n != 3 || shared.Endpoints[addr("phone")].Silents[0].Equal(h.a.Endpoints[addr("phone")].Silents[0]) {
		t.Errorf("%d are remembered", n)
	}
	if until, _ := Hold(h.a, session.WakeKey{Address: addr("phone"), Class: session.Message}, h.policy, h.now); !until.IsZero() {
		t.Error("a message is held too")
	}
	h.now = h.now.Add(-24 * time.Hour)
	if d := held(); d != 0 {
		t.Errorf("held for %v by a clock that was set back", d)
	}
	h.policy.Silents = 0
	if d := held(); d != 0 {
		t.Errorf("held for %v without a limit", d)
	}
}
