package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"rouse/business"
	"rouse/business/simulate"
	"rouse/config"
	"rouse/session"
	scripted "rouse/session/history"
)

func simulateCommand() command {
	return command{
		name: "simulate", args: "FILE [-c FILE] [--json]", about: "play a scripted history by the rules, and say what would be decided",
		more: "The file has one event a line, like: +2s phone hibernated out=5 unread=message@5\n" +
			"docs/simulate.md describes it. It is decided with [rules] of -c FILE, else of the section rouse.toml in FILE, else\n" +
			"with the defaults; no store, no server and no provider is asked. Behind => a line may have what is to be decided:\n" +
			"if something else is, that is said, and the exit code is 2. With - for FILE it is read from standard input.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &simulateCall{flags: fs}
			fs.StringVar(&c.config, "c", "", "decide with [rules] of this `FILE`")
			fs.StringVar(&c.config, "config", "", "the same as -c `FILE`")
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			return c.run
		},
	}
}

// simulateCall is one call of rouse simulate.
type simulateCall struct {
	flags  *flag.FlagSet
	config string
	json   bool
}

// maxHistory bounds what is read of a file.
const maxHistory = 8 << 20

func (c *simulateCall) run(stdio stdio, args []string) error {
	args, err := flagsAnywhere(c.flags, "simulate", "simulate", args)
	switch {
	case err != nil:
		return err
	case len(args) == 0:
		return usage{text: "simulate: which history?", hint: "rouse simulate FILE; docs/simulate.md describes it"}
	case len(args) > 1:
		return usage{text: fmt.Sprintf("simulate: unexpected argument %q", args[1]), hint: "rouse help simulate"}
	}
	name := args[0]
	text, err := readHistory(stdio, name)
	if err != nil {
		return err
	}
	h, err := scripted.Parse(name, text)
	if err != nil {
		return err
	}
	policy, err := c.policy(name, h)
	if err != nil {
		return err
	}
	played, err := simulate.Play(h.Steps, policy)
	var wrong *scripted.Error
	if errors.As(err, &wrong) {
		wrong.File = name
	}
	if err != nil {
		return err
	}
	t := newNarrator(stdio.out, c.json, time.UTC)
	t.simulated(played)
	if err := t.tell(played.Reasons); err != nil {
		return err
	}
	for _, m := range played.Misses {
		fmt.Fprintf(stdio.err, "rouse: %s:%d: decided is something else than wanted\n  got   %s\n  want  %s\n", name, m.Line, m.Got, m.Want)
	}
	if len(played.Misses) > 0 {
		return errProblems
	}
	return nil
}

func readHistory(stdio stdio, name string) (string, error) {
	in := stdio.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			var at *os.PathError
			if errors.As(err, &at) {
				err = at.Err
			}
			return "", hint{fmt.Sprintf("%s: %v", name, err), "docs/simulate.md says what stands in one"}
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxHistory+1))
	if err == nil && len(text) > maxHistory {
		err = fmt.Errorf("larger than %d bytes", maxHistory)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(text), nil
}

// policy is what is decided with. Only rules count: no file that a configuration
// names is looked at, so that that of a server can be tried without its secrets.
func (c *simulateCall) policy(name string, h *scripted.File) (business.Policy, error) {
	text := h.Config
	if c.config != "" {
		b, err := os.ReadFile(c.config)
		if err != nil {
			var at *os.PathError
			if errors.As(err, &at) {
				err = at.Err
			}
			return business.Policy{}, &config.Error{File: c.config, Cause: err.Error(), Hint: "name a file that is there"}
		}
		name, text = c.config, string(b)
	}
	cfg, err := config.Parse(name, []byte(text))
	if err != nil {
		return business.Policy{}, err
	}
	return policyOf(cfg), nil
}

// simulated has devices be called as a history calls them.
func (t *narrator) simulated(r simulate.Result) {
	t.text.Named = func(a session.Address) string {
		if a.Service != r.Service {
			return a.Service + " " + a.Node
		}
		return a.Node
	}
	t.home = r.Service
}
