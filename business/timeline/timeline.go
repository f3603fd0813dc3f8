package timeline

import (
	"time"

	"rouse/session"
)

// Entry is one event, with what it meant for everybody.
type Entry struct {
	At      time.Time
	Event   session.Kind
	Session string
	Rule    string
	Class   session.Class // the highest that was spoken of
	Lines   []Line
}

// Line is what was decided about one device, or about the account.
type Line struct {
	session.Reason
	Wake *Wake // Woke: that one; Merged: the one that it joins, if that is on record
}

// Wake is a wake from its decision on.
type Wake struct {
	At   time.Time
	Then []session.Reason // what became of it, in order
	With *Wake            // a more important one took it along
	done bool
}

// open finds the wakes of a device that are owed.
type open map[session.Address]map[session.Class]*Wake

// Of makes a timeline of a record, which is in order. What became of a wake that is
// not on record itself is an entry of its own.
func Of(record []session.Reason) []*Entry {
	var all []*Entry
	owed := make(open)
	for _, r := range record {
		w := owed.find(r)
		if r.Event == session.Settled && w != nil && r.Verdict != session.Woke && r.Verdict != session.Merged {
			w.took(r)
			if w.done {
				delete(owed[r.Endpoint], r.Class)
			}
			continue
		}
		var last *Entry
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		if last == nil || !last.same(r) {
			last = &Entry{At: r.At, Event: r.Event, Session: r.Session, Rule: r.Rule}
			all = append(all, last)
		}
		line := Line{Reason: r, Wake: w}
		switch r.Verdict {
		case session.Died:
			for _, w := range owed[r.Endpoint] {
				w.took(r)
			}
			delete(owed, r.Endpoint)
			line.Wake = nil
		case session.Woke:
			line.Wake = owed.add(r)
		case session.Merged: // w is the one that it joins
		case session.Withdrew:
			if w != nil {
				w.took(r)
				delete(owed[r.Endpoint], r.Class)
			}
			line.Wake = nil
		default:
			line.Wake = nil
		}
		if last.Rule == "" && r.Verdict != session.Hurried { // that wake is an earlier decision's
			last.Rule = r.Rule
		}
		last.Class = max(last.Class, r.Class)
		last.Lines = append(last.Lines, line)
	}
	return all
}

// same reports whether a reason is about the event of an entry. Two events of one
// kind at one time are told apart by what they say of one device.
func (e *Entry) same(r session.Reason) bool {
	if !e.At.Equal(r.At) || e.Event != r.Event || e.Session != r.Session {
		return false
	}
	for _, l := range e.Lines {
		if l.Endpoint == r.Endpoint && l.Class == r.Class && l.Verdict != session.Withdrew {
			return false
		}
	}
	return true
}

func (w *Wake) took(r session.Reason) {
	w.Then = append(w.Then, r)
	w.done = r.Verdict != session.Again
}

// add opens a wake. One of a lower class that nobody has sent yet goes with it, but
// not with a call.
func (o open) add(r session.Reason) *Wake {
	w := &Wake{At: r.At}
	if o[r.Endpoint] == nil {
		o[r.Endpoint] = make(map[session.Class]*Wake)
	}
	if r.Class.Importance().Merges {
		for c, low := range o[r.Endpoint] {
			if c < r.Class {
				low.With = w
			}
		}
	}
	o[r.Endpoint][r.Class] = w
	return w
}

// find gives the wake that a reason is about: of its class or, for one that joins,
// of the next higher.
func (o open) find(r session.Reason) *Wake {
	if w := o[r.Endpoint][r.Class]; w != nil || r.Verdict != session.Merged {
		return w
	}
	for c := r.Class + 1; c < session.NumClasses; c++ {
		if w := o[r.Endpoint][c]; w != nil && c.Importance().Merges {
			return w
		}
	}
	return nil
}
