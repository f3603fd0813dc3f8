package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"rouse/config"
	"rouse/session"
	"rouse/store"
)

func explainCommand() command {
	return command{
		name: "explain", args: "JID [-c FILE] [--since 2h] [--stanza ID] [--follow] [--json]", about: "say why an account's devices were woken, or not",
		more: "Tells what happened to the account and what was decided: for every device whether it was woken, by which rule and\n" +
			"why, and what became of each wake. Neither texts nor senders are on record. The record of an account is kept for\n" +
			"7 days and has at most store.record lines. May run beside a rouse that serves: that one is asked, or the Redis\n" +
			"that is the store. No token is ever shown. With --stanza, what is about one stanza, and for every device why or\n" +
			"why not: ID is the one that its sender gave it, or the account's archive.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &explainCall{load: configFlags(fs), flags: fs}
			fs.DurationVar(&c.since, "since", 24*time.Hour, "tell what is no longer ago than this `DURATION`, 24h if not said")
			fs.StringVar(&c.stanza, "stanza", "", "tell what the stanza with this `ID` came to")
			fs.BoolVar(&c.follow, "follow", false, "go on with what is new, until interrupted")
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			return c.run
		},
	}
}

// explainCall is one call of rouse explain.
type explainCall struct {
	load         func(stdio) (*config.Config, string, error)
	flags        *flag.FlagSet
	since        time.Duration
	stanza       string
	follow, json bool
}

func (c *explainCall) run(io stdio, args []string) error {
	args, err := flagsAnywhere(c.flags, "explain", "explain", args)
	switch {
	case err != nil:
		return err
	case len(args) == 0:
		return usage{text: "explain: whose?", hint: "rouse explain JID, like juliet@example.org"}
	case len(args) > 1:
		return usage{text: fmt.Sprintf("explain: unexpected argument %q", args[1]), hint: "rouse help explain"}
	case c.since <= 0:
		return usage{text: "explain: --since is not before now", hint: "--since 2h"}
	case c.stanza != "" && c.follow:
		return usage{text: "explain: --follow and --stanza do not go together", hint: "one stanza is told once"}
	}
	account, err := bareJID(args[0])
	if err != nil || !isAccount(account) {
		return usage{text: fmt.Sprintf("explain: %q is not the JID of an account", args[0]), hint: "like juliet@example.org"}
	}
	cfg, _, err := c.load(io)
	if err != nil {
		return err
	}
	ctx, stop := stopSignals(context.Background(), io.err)
	defer stop()
	d, err := openDesk(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(c.explain(ctx, io, cfg, d, account), d.close())
}

// given reports whether a flag was.
func (c *explainCall) given(name string) (yes bool) {
	c.flags.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// explainEvery is how often is looked for what is new.
const explainEvery = time.Second

func (c *explainCall) explain(ctx context.Context, io stdio, cfg *config.Config, d desk, account string) error {
	since := io.now().Add(-c.since)
	if c.stanza != "" && !c.given("since") {
		since = time.Time{} // all that is on record
	}
	r, err := d.record(ctx, account, since)
	if err != nil {
		return err
	}
	t := newNarrator(io.out, c.json, time.Local)
	t.know(r.Devices)
	if c.stanza != "" {
		found, err := t.stanza(serviceOf(cfg), c.stanza, r)
		if err == nil && !found && !c.json {
			fmt.Fprintln(io.out, noStanza)
		}
		return err
	}
	if !c.json {
		fmt.Fprintf(io.out, "%s since %s\n", account, when(since))
		for i := range r.Devices {
			one := &r.Devices[i]
			fmt.Fprintf(io.out, "  %-26s  %s\n", deviceName(one), standing(one))
		}
		if len(r.Reasons) == 0 {
			why, err := c.nothing(ctx, cfg, d, account, r)
			if err != nil {
				return err
			}
			fmt.Fprintln(io.out, why)
		}
	}
	told := make(map[session.Reason]bool)
	for {
		fresh, now := r.Reasons[:0:0], make(map[session.Reason]bool, len(r.Reasons))
		for _, reason := range r.Reasons {
			reason.At = reason.At.UTC() // one value for one time
			if now[reason] = true; !told[reason] {
				fresh = append(fresh, reason)
			}
		}
		told = now
		if err := t.tell(fresh); err != nil || !c.follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(explainEvery):
		}
		if r, err = d.record(ctx, account, since); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		t.know(r.Devices)
	}
}

// standing is how a device is now.
func standing(r *deviceReport) string {
	words := []string{r.state()}
	switch {
	case r.Dead != "":
		words = append(words, r.Dead)
	case r.Note != "":
		words = append(words, r.Note)
	case r.Session != nil && r.Session.Resource != "":
		words = append(words, "resource "+r.Session.Resource)
	case r.Session == nil && !r.Enabled.IsZero():
		words = append(words, "without a session")
	}
	for _, o := range r.Owed {
		words = append(words, "a wake is owed ("+o.Class+"), due "+when(o.Due))
	}
	return strings.Join(words, "; ")
}

// nothing says why there may be nothing to tell.
func (c *explainCall) nothing(ctx context.Context, cfg *config.Config, d desk, account string, r recordReport) (string, error) {
	_, domain, _ := strings.Cut(account, "@")
	switch {
	case cfg.Store.Record == 0:
		return "nothing is recorded: store.record is 0 in the configuration", nil
	case !r.Known && !r.Ours:
		return "rouse does not decide for " + domain + ", which is none of component.hosts, and no device of " + account +
			" is registered here; is it spelled so?", nil
	case !r.Known:
		return "rouse has heard nothing of " + account + ": it has neither a session nor push enabled, or its server does not report to rouse (rouse check says), or it is spelled otherwise: rouse devices list " + domain, nil
	}
	all, err := d.record(ctx, account, time.Time{})
	switch n := len(all.Reasons); {
	case err != nil:
		return "", err
	case n > 0:
		last := all.Reasons[n-1].At
		return fmt.Sprintf("nothing in that time; the last decision is of %s: --since %v", when(last), time.Since(last).Truncate(time.Hour)+time.Hour), nil
	}
	return fmt.Sprintf("nothing is on record: a record is kept for %d days, and not while store.record is 0", store.ReasonAge/(24*time.Hour)), nil
}

// deviceName is what a device is called in a line: its app, or the service that it
// is registered with, and as much of its node as commands need.
func deviceName(r *deviceReport) string {
	app := r.App
	if r.Service != "" {
		app = r.Service
	}
	return strings.TrimSpace(app + " " + brief(r.Node))
}

func brief(node string) string {
	if len(node) > 12 {
		return node[:8] + "…"
	}
	return node
}
