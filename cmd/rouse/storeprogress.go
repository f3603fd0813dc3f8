package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rouse/store/transfer"
)

// progress shows how far a copy has come: to people at a terminal in one line that
// is written over, to a file or a program in a line now and then.
type progress struct {
	out            io.Writer
	json, terminal bool
	now            func() time.Time

	phase       string
	written     int
	began, last time.Time
	width       int // of the line that stands on the terminal
}

const (
	lineEvery    = 10 * time.Second
	rewriteEvery = 200 * time.Millisecond
)

func newProgress(out io.Writer, asJSON bool) *progress {
	p := &progress{out: out, json: asJSON, now: time.Now}
	if f, ok := out.(*os.File); ok && !asJSON {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	p.last = p.now()
	return p
}

func (p *progress) show(at transfer.Progress) {
	now := p.now()
	p.written = at.Written
	if at.Phase != p.phase {
		p.phase, p.began = at.Phase, now
	}
	every := lineEvery
	if p.terminal {
		every = rewriteEvery
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	switch {
	case p.json:
		p.object(map[string]any{"phase": at.Phase, "items": at.Items, "written": at.Written, "of": at.Of})
	case p.terminal:
		p.rewrite(p.line(at, now))
	default:
		fmt.Fprintln(p.out, p.line(at, now))
	}
}

func (p *progress) line(at transfer.Progress, now time.Time) string {
	text := fmt.Sprintf("%s: %d items", at.Phase, at.Items)
	if at.Of > 0 {
		text = fmt.Sprintf("%s: %d of %d items", at.Phase, at.Items, at.Of)
	}
	if took := now.Sub(p.began).Seconds(); took > 0 {
		text += fmt.Sprintf(", %.0f/s", float64(at.Items)/took)
	}
	return text
}

// rewrite puts a line over the one that stands there.
func (p *progress) rewrite(text string) {
	fmt.Fprintf(p.out, "\r%s%s\r%s", text, strings.Repeat(" ", max(0, p.width-len(text))), text)
	p.width = len(text)
}

// end leaves the terminal with an empty line for what comes.
func (p *progress) end() {
	if p.width > 0 {
		fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

func (p *progress) object(v any) { json.NewEncoder(p.out).Encode(v) }

// copied is the last word.
func (p *progress) copied(from, to string, t transfer.Tally) {
	if p.json {
		p.object(struct {
			Phase   string `json:"phase"`
			From    string `json:"from"`
			To      string `json:"to"`
			Written int    `json:"written"` // of which were not there yet
			transfer.Tally
		}{"done", from, to, p.written, t})
		return
	}
	fmt.Fprintf(p.out, "copied %s\n    to %s\n", from, to)
	printTally(p.out, t)
	fmt.Fprint(p.out, "all was read again from both and is the same; the copy goes with the same node key (store.key_file)\n")
}

func printTally(w io.Writer, t transfer.Tally) {
	for _, row := range []struct {
		name string
		n    int
		note string
	}{
		{"accounts", t.Accounts, ""}, {"registrations", t.Registrations, ""},
		{"nodes", t.Nodes, "registrations that servers publish to without our module"},
		{"lists", t.Rolls, "of what accounts of other servers registered"},
		{"wakes", t.Wakes, "owed"}, {"reasons", t.Reasons, "decisions that are on record"},
		{"hosts", t.Reporters, "whose module reports"},
	} {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-13s %9d  %s", row.name, row.n, row.note), " "))
	}
}
