package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"rouse/config"
	"rouse/notice/outbox"
)

func noticesCommand() command {
	return command{
		name: "notices", args: "[JID] [-c FILE] [-n 50] [--failed] [--json]", about: "say who was told what, by which filter, and what failed",
		more: "Of an account, a room (its address) or a program (its name), or of all; the newest last. Looks at\n" +
			"notices.file, and may run beside a rouse that serves.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &noticesCall{load: configFlags(fs), flags: fs}
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			fs.BoolVar(&c.failed, "failed", false, "only what failed, or is tried again")
			fs.IntVar(&c.most, "n", 50, "how many")
			return c.run
		},
	}
}

type noticesCall struct {
	load         func(stdio) (*config.Config, string, error)
	flags        *flag.FlagSet
	json, failed bool
	most         int
}

// delivery is a line for programs. Its names are stable.
type delivery struct {
	At       time.Time `json:"at"`
	ID       string    `json:"id"`
	Source   string    `json:"source"`
	Kind     string    `json:"kind"`
	Severity string    `json:"severity"`
	Context  string    `json:"context"`
	To       string    `json:"to"`
	Role     string    `json:"role"`
	Filter   string    `json:"filter"`
	State    string    `json:"state"`
	Tries    int       `json:"tries"`
	Ended    time.Time `json:"ended,omitzero"`
	Due      time.Time `json:"due,omitzero"`
	Why      string    `json:"why,omitempty"`
	Text     string    `json:"text"`
}

func (c *noticesCall) run(io stdio, args []string) error {
	args, err := flagsAnywhere(c.flags, "notices", "notices", args)
	switch {
	case err != nil:
		return err
	case len(args) > 1:
		return usage{text: fmt.Sprintf("notices: unexpected argument %q", args[1]), hint: "rouse help notices"}
	case c.most < 1 || c.most > 100_000:
		return usage{text: "notices: -n is out of range", hint: "from 1 to 100000"}
	}
	cfg, _, err := c.load(io)
	if err != nil {
		return err
	}
	if !cfg.Notifies() {
		return hint{"nobody is told of anything here", "the tables [directory], [[exec]], [[room]] and [notices] of the configuration: docs/notices.md"}
	}
	ctx, stop := stopSignals(context.Background(), io.err)
	defer stop()
	db, err := outbox.Open(ctx, cfg.Notices.File)
	if err != nil {
		return fmt.Errorf("notices.file: %w", err)
	}
	return errors.Join(c.show(ctx, io, db, args), db.Close())
}

func (c *noticesCall) show(ctx context.Context, io stdio, db *outbox.DB, args []string) error {
	of := ""
	if len(args) > 0 {
		of = args[0]
	}
	list, err := db.Of(ctx, of, c.most)
	if err != nil {
		return err
	}
	shown := 0
	for i := len(list) - 1; i >= 0; i-- {
		d := list[i]
		if c.failed && d.State != outbox.Failed && (d.State != outbox.Waiting || d.Why == "") {
			continue
		}
		shown++
		if c.json {
			one := delivery{At: d.Notice.At, ID: d.Notice.ID, Source: d.Notice.Source, Kind: d.Notice.Kind, Severity: string(d.Notice.Severity), Context: d.Context, To: d.Address,
				Role: string(d.Role), Filter: d.Filter, State: string(d.State), Tries: d.Tries, Ended: d.Ended, Why: d.Why, Text: d.Text}
			if d.State == outbox.Waiting {
				one.Due = d.Due
			}
			if err := json.NewEncoder(io.out).Encode(one); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(io.out, "%s  %-7s  %s to %s as %s (%s): %s\n", when(d.Notice.At), d.State, d.Context, d.Address, d.Role, d.Filter, d.Text)
		if d.Why != "" {
			fmt.Fprintf(io.out, "%s  %s\n", "                             ", d.Why)
		}
	}
	if shown == 0 && !c.json {
		fmt.Fprintln(io.out, "nobody was told of anything that is still on record (30 days)")
	}
	return nil
}
