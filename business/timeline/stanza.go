package timeline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rouse/session"
)

// Fate is what one stanza came to at one device.
type Fate struct {
	Endpoint session.Address
	Asked    bool // something was decided about it
	Because  session.Reason
	Wake     *Wake // that stands for the stanza; nil: none on record does
	Next     *Wake // nothing was sent for it: the next wake for what was unread as a session fell asleep
}

// Stanza takes from a timeline what is about the stanza with that id (Reason.About),
// and says for each device what it came to.
func Stanza(all []*Entry, id string, devices []session.Address) (about []*Entry, fates []Fate) {
	var last time.Time
	for _, e := range all {
		part := *e
		part.Lines = slices.DeleteFunc(slices.Clone(e.Lines), func(l Line) bool { return !l.About(id) })
		if len(part.Lines) > 0 {
			about, last = append(about, &part), e.At
		}
	}
	for _, addr := range devices {
		f := Fate{Endpoint: addr}
		f.judge(about)
		f.wakes(all, last)
		fates = append(fates, f)
	}
	return about, fates
}

// weight orders verdicts by what they say about a stanza that several events told
// of: where one of them woke, the device was woken.
func weight(v session.Verdict) int {
	return slices.Index([]session.Verdict{session.Quiet, session.Filtered, session.Died, session.Covered, session.Merged, session.Woke}, v)
}

// judge finds what counts among what was decided. What was said of the whole
// account holds for each device of which nothing else was said.
func (f *Fate) judge(about []*Entry) {
	var whole *session.Reason
	for _, e := range about {
		for _, l := range e.Lines {
			switch {
			case l.Endpoint == session.Address{}:
				whole = cmp.Or(whole, &l.Reason)
			case l.Endpoint == f.Endpoint && (!f.Asked || weight(l.Verdict) > weight(f.Because.Verdict)):
				f.Asked, f.Because, f.Wake = true, l.Reason, l.Wake
			}
		}
	}
	switch {
	case f.Asked || len(about) == 0:
	case whole != nil && whole.Session == "":
		f.Asked, f.Because = true, *whole
	default:
		f.Because.Why = unasked(about)
	}
}

// unasked says why a stanza was not decided for a device.
func unasked(about []*Entry) string {
	var list []string
	for _, e := range about {
		if e.Session == "" || e.Rule == "c" {
			return "it had not enabled push then" // all that had were asked
		}
		if name := "session " + tail(e.Session); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return "the rule is about the devices of " + strings.Join(list, " and ")
}

// wakes finds the wake that covered the stanza, and the one that came after it.
func (f *Fate) wakes(all []*Entry, last time.Time) {
	for _, e := range all {
		for _, l := range e.Lines {
			if l.Endpoint != f.Endpoint || l.Verdict != session.Woke {
				continue
			}
			switch {
			case f.Because.Verdict == session.Covered && !l.At.After(f.Because.At):
				f.Wake = l.Wake // the last one before
			case f.Wake == nil && f.Next == nil && !l.At.Before(last) && asleep(l.Event):
				f.Next = l.Wake
			}
		}
	}
}

// asleep reports whether an event has a session's unread stanzas decided.
func asleep(k session.Kind) bool {
	return k == session.Delay || k == session.Hibernate || k == session.PictureRow
}

// Last is what last came of a wake; zero: nothing yet, or it goes with another one.
func (w *Wake) Last() session.Reason {
	for ; w.With != nil && !w.done; w = w.With {
	}
	if len(w.Then) == 0 {
		return session.Reason{}
	}
	return w.Then[len(w.Then)-1]
}

// Fates tells, device by device, what a stanza came to.
func (w *Writer) Fates(list []Fate) error {
	width := 0
	for _, f := range list {
		width = max(width, utf8.RuneCountInString(w.Named(f.Endpoint)))
	}
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, w.Named(f.Endpoint), w.fated(f))
	}
	_, err := io.WriteString(w.Out, b.String())
	return err
}

func (w *Writer) fated(f Fate) string {
	if !f.Asked {
		return "not asked: " + f.Because.Why
	}
	said := Verdict(f.Because)
	if f.Because.Class == session.Nothing || f.Because.Endpoint == (session.Address{}) {
		said = "not woken"
	}
	if f.Because.Rule != "" {
		said += " (rule " + f.Because.Rule + ")"
	}
	if f.Because.Verdict != session.Woke || f.Wake == nil {
		said += ": " + f.Because.Why
	}
	tell := func(wake *Wake) string {
		if last := wake.Last(); last.Verdict != "" {
			return w.clock(last.At) + " " + Outcome(last)
		}
		return "nothing has come of it yet"
	}
	switch {
	case f.Wake != nil && f.Because.Verdict == session.Woke:
		return said + " at " + w.clock(f.Wake.At) + "; " + tell(f.Wake)
	case f.Wake != nil:
		return said + "; its wake is of " + w.clock(f.Wake.At) + "; " + tell(f.Wake)
	case f.Next != nil:
		return said + "; for what was unread later, a wake of " + w.clock(f.Next.At) + "; " + tell(f.Next)
	}
	return said
}
