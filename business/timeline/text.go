package timeline

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rouse/session"
)

// Writer tells a timeline to a person.
type Writer struct {
	Out   io.Writer
	Zone  *time.Location
	Named func(session.Address) string // what a device is called

	day   string
	width int // of the names
}

// Write tells entries, which follow those that were told before.
func (w *Writer) Write(entries []*Entry) error {
	for _, e := range entries {
		for _, l := range e.Lines {
			w.width = max(w.width, utf8.RuneCountInString(w.name(l)))
		}
	}
	var b strings.Builder
	for _, e := range entries {
		w.entry(&b, e)
	}
	_, err := io.WriteString(w.Out, b.String())
	return err
}

const indent = "          " // a clock and two spaces

// name is whom a line is about; empty: the whole account.
func (w *Writer) name(l Line) string {
	if (l.Endpoint == session.Address{}) {
		return ""
	}
	return w.Named(l.Endpoint)
}

func (w *Writer) entry(b *strings.Builder, e *Entry) {
	if day := e.At.In(w.Zone).Format("Monday 2006-01-02 (MST)"); day != w.day {
		w.day = day
		fmt.Fprintf(b, "%s\n", day)
	}
	heading := Happened(e.Event, e.Class)
	fmt.Fprintf(b, "%s  %s", w.clock(e.At), heading)
	if e.Session != "" {
		fmt.Fprintf(b, ", session %s", tail(e.Session))
	}
	b.WriteByte('\n')
	if e.Event != session.Settled && slices.ContainsFunc(e.Lines, decided) {
		switch words := Rule(e.Rule); {
		case words != "":
			fmt.Fprintf(b, "%srule %s, %s\n", indent, e.Rule, words)
		case e.Rule != "":
			fmt.Fprintf(b, "%srule %s\n", indent, e.Rule)
		}
	}
	for _, l := range e.Lines {
		w.line(b, e, l, heading)
	}
}

// decided reports whether somebody is woken or not, and not merely something noted.
func decided(l Line) bool { return l.Verdict != session.Quiet || l.Class != session.Nothing }

// ofWake reports whether a line says of which class the wake is.
func ofWake(v session.Verdict) bool {
	return v == session.Woke || v == session.Withdrew || v == session.Hurried
}

func (w *Writer) line(b *strings.Builder, e *Entry, l Line, heading string) {
	name, why := w.name(l), l.Why
	if name == "" && !decided(l) {
		if !strings.Contains(heading, why) { // else it says it
			fmt.Fprintf(b, "%s%s\n", indent, why)
		}
		return
	}
	if l.After > 0 {
		why = answered(l.Reason)
	}
	if l.Class != session.Nothing && (l.Class != e.Class || ofWake(l.Verdict) || l.Event == session.Settled) {
		why = l.Class.String() + ", " + why
	}
	if l.Verdict == session.Merged && l.Wake != nil {
		why += " (of " + w.clock(l.Wake.At) + ")"
	}
	if l.Rule != "" && (l.Rule != e.Rule || e.Event == session.Settled) {
		why += " (rule " + l.Rule + ")"
	}
	fmt.Fprintf(b, "%s%-9s  %-*s  %s\n", indent, Verdict(l.Reason), w.width, name, why)
	if l.Verdict == session.Woke {
		w.fate(b, l.Wake)
	}
}

// fate tells what became of a wake.
func (w *Writer) fate(b *strings.Builder, wake *Wake) {
	say := func(at, what string) {
		fmt.Fprintf(b, "%s%-9s  %-*s  %s %s\n", indent, "", w.width, "", at, what)
	}
	for _, t := range wake.Then {
		say(w.clock(t.At), Outcome(t))
	}
	switch {
	case wake.done:
	case wake.With != nil:
		say(w.clock(wake.With.At), "goes with a wake that is more important")
	case len(wake.Then) == 0:
		say("still", "owed: nothing has come of it yet")
	}
}

func (w *Writer) clock(t time.Time) string { return t.In(w.Zone).Format(time.TimeOnly) }

// tail is the end of what is too long to read.
func tail(s string) string {
	if len(s) > 12 {
		return "…" + s[len(s)-8:]
	}
	return s
}

// short is a duration without the digits that nobody reads.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.String()
}
