package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rouse/session"
)

// Writer tells a timeline to a person.
type Writer struct {
	Out   io.Writer
	Zone  *time.Location
	Named func(session.Address) string // what a device is called

	day string
}

// Write tells entries, which follow those that were told before.
func (w *Writer) Write(entries []*Entry) error {
	var b strings.Builder
	for _, e := range entries {
		w.entry(&b, e)
	}
	_, err := io.WriteString(w.Out, b.String())
	return err
}

const (
	lineFormat = "          %-9s  %-26s  %s\n"
	thenFormat = "          %-9s  %-26s    %s %s\n"
)

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
	if e.Rule != "" {
		fmt.Fprintf(b, "  [rule %s]", strings.TrimRight(e.Rule+": "+Rule(e.Rule), ": "))
	}
	b.WriteByte('\n')
	for _, l := range e.Lines {
		w.line(b, e, l, heading)
	}
}

func (w *Writer) line(b *strings.Builder, e *Entry, l Line, heading string) {
	whole := l.Endpoint == session.Address{}
	if whole && l.Verdict == session.Quiet && l.Class == session.Nothing && strings.Contains(heading, l.Why) {
		return // the heading says it
	}
	name := ""
	if !whole {
		name = w.Named(l.Endpoint)
	}
	why := l.Why
	if l.Event == session.Settled {
		if why = Outcome(l.Reason); l.Verdict == session.Woke || l.Verdict == session.Merged {
			why = l.Why
		}
	}
	if l.Class != session.Nothing && l.Class != e.Class || l.Verdict == session.Woke || l.Verdict == session.Withdrew || l.Event == session.Settled {
		why = l.Class.String() + ", " + why
	}
	if l.Verdict == session.Merged && l.Wake != nil {
		why += " (that of " + w.clock(l.Wake.At) + ")"
	}
	if l.Rule != "" && l.Rule != e.Rule {
		why += " [rule " + l.Rule + "]"
	}
	fmt.Fprintf(b, lineFormat, Verdict(l.Reason), name, why)
	if l.Verdict != session.Woke {
		return
	}
	for _, t := range l.Wake.Then {
		fmt.Fprintf(b, thenFormat, "", "", w.clock(t.At), Outcome(t))
	}
	switch {
	case l.Wake.done:
	case l.Wake.With != nil:
		fmt.Fprintf(b, thenFormat, "", "", w.clock(l.Wake.With.At), "goes with a wake that is more important")
	case len(l.Wake.Then) == 0:
		fmt.Fprintf(b, thenFormat, "", "", "still", "owed: nothing came of it yet")
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
