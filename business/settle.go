package business

import (
	"time"

	"rouse/session"
)

// Settle applies what became of a try to send a wake, which is given as it was
// claimed. A wake that was withdrawn meanwhile is not there under its serial any
// more; then nothing changes. Nor does it where another worker has it since, as
// happens to one that was taken for dead: its try covers what there was at its
// claim, and the wake is not its to give back.
func Settle(a session.Account, key session.WakeKey, claimed session.Wake, s session.Settlement, p Policy) (session.Account, []session.Reason) {
	w, ok := a.Pending[key]
	if !ok || w.Serial != claimed.Serial || s.Verdict == session.Again && !w.Lease.Equal(claimed.Lease) {
		return a, nil
	}
	d := &decision{a: a.Clone(), policy: p, now: s.At, e: session.Event{Kind: session.Settled}}
	switch s.Verdict {
	case session.Sent, session.GaveUp:
		d.outcome(claimed, s.Verdict, key, d.tried(key.Address, claimed)+s.Why)
		if s.Verdict == session.Sent {
			d.noted(key)
		}
		done := d.settled(w, claimed, s.Verdict)
		d.await(key, claimed, s, done)
		d.rest(key, w, claimed)
		if s.Verdict == session.GaveUp && key.Class.Rings() {
			d.missed(key.Address, claimed, done)
		}
	case session.Again:
		w.Due, w.Lease, w.Sent = s.Due, time.Time{}, 0
		if !s.Free {
			w.Attempt++
		}
		d.outcome(claimed, session.Again, key, s.Why)
		if d.repeats(key.Address, w) {
			d.keep(key, w)
		} else {
			d.gather(key, w)
		}
	case session.Died:
		if _, ok := d.a.Endpoints[key.Address]; ok {
			delete(d.a.Pending, key)
			d.kill(key.Address, s.Why)
		} else {
			delete(d.a.Pending, key)
			d.outcome(claimed, session.Died, key, s.Why)
		}
	}
	d.expect()
	return d.a, d.reasons
}

// outcome records what became of a try, and how long after its decision.
func (d *decision) outcome(w session.Wake, v session.Verdict, key session.WakeKey, why string) {
	d.say(w.Rule, v, key.Class, key.Address, why)
	d.reasons[len(d.reasons)-1].After = max(0, d.now.Sub(w.Since))
}

// missed: nobody could be told of a call while it rang. The device learns of it
// as of a message, however long that takes.
func (d *decision) missed(addr session.Address, claimed session.Wake, calls []session.Wait) {
	if ep, ok := d.a.Endpoints[addr]; ok && ep.Dead == "" {
		answered := read(calls)
		if calls = notRead(calls); len(calls) == 1 {
			d.about = stanza{tag: calls[0].Tag, chat: calls[0].Chat}
		}
		if n := max(claimed.Sent, 1) - answered; n > 0 {
			d.owe(claimed.Rule, addr, session.Message, n)
		}
	}
}

// rest owes again what came since the claim, unless another worker took that.
func (d *decision) rest(key session.WakeKey, w, claimed session.Wake) {
	left := w.Count - claimed.Sent
	if left <= 0 || claimed.Sent == 0 {
		delete(d.a.Pending, key)
		return
	}
	if w.Claimed(d.now) && !w.Lease.Equal(claimed.Lease) {
		return
	}
	delete(d.a.Pending, key)
	again, _ := d.add(w.Rule, key.Address, key.Class, left)
	d.pass(w.Serial, again.Serial)
	d.say(w.Rule, session.Merged, key.Class, key.Address, "one more wake, for "+plural(left, "stanza that came", "stanzas that came")+" while it was being sent")
}
