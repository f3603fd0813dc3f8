package business

import (
	"testing"
	"time"

	"rouse/session"
)

// A worker that was taken for dead says late that the provider took its wake. That
// covers what there was when it claimed it, whatever others have made of it since.
func TestSettledByOneTakenForDead(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	key := session.WakeKey{Address: addr("phone"), Class: session.Message}
	first := session.Wake{Serial: 1, Count: 1, Sent: 1, Rule: "b", Since: now, Due: now.Add(time.Minute), Lease: now.Add(time.Minute)}
	released := func(count int) session.Wake {
		w := first
		w.Count, w.Sent, w.Due, w.Lease = count, 0, now, time.Time{}
		return w
	}
	others := func(count int) session.Wake {
		w := first
		w.Count, w.Sent, w.Due, w.Lease = count, count, now.Add(2*time.Minute), now.Add(2*time.Minute)
		return w
	}
	sent := session.Settlement{Verdict: session.Sent, At: now.Add(time.Second)}
	again := session.Settlement{Verdict: session.Again, At: now.Add(time.Second), Due: now.Add(3 * time.Second)}
	for _, c := range []struct {
		name   string
		stands session.Wake
		says   session.Settlement
		serial uint64 // of what is owed then; 0: nothing is
		count  int
	}{
		{"still its own", first, sent, 0, 0},
		{"due again, nothing came", released(1), sent, 0, 0},
		{"due again, and something came", released(3), sent, 2, 2},
		{"another's, nothing came", others(1), sent, 0, 0},
		{"another's, with what came", others(2), sent, 1, 2},
		{"due again, to be tried again", released(2), again, 1, 2},
		{"another's, to be tried again", others(1), again, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := session.Account{Serial: 1}.Clone()
			a.Endpoints[key.Address] = session.Endpoint{}
			a.Pending[key] = c.stands
			a, _ = Settle(a, key, first, c.says, wokenOnce())
			got, owed := a.Pending[key]
			if owed != (c.serial > 0) || got.Serial != c.serial || got.Count != c.count {
				t.Errorf("owed: %t, %+v", owed, got)
			}
			if c.serial == 1 && got != c.stands {
				t.Errorf("%+v was changed to %+v", c.stands, got)
			}
		})
	}
}

// wokenOnce is a policy by which no device is woken again.
func wokenOnce() Policy {
	p := DefaultPolicy()
	p.Repeat = nil
	return p
}
