package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rouse/config"
)

// Exit codes, as docs/commands.md promises them.
const (
	exitFine     = 0
	exitFailed   = 1
	exitProblems = 2  // check found some, or simulate
	exitUsage    = 64 // EX_USAGE
	exitConfig   = 78 // EX_CONFIG
)

// stdio is what a command sees of the outside.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	env func(string) string
	now func() time.Time // decisions use it
}

// command is one subcommand. set declares flags and gives what runs after they
// are parsed.
type command struct {
	name  string
	args  string // behind the name in usage
	about string // one line
	more  string // for `rouse help NAME`
	set   func(*flag.FlagSet) func(io stdio, args []string) error
}

// commands in the order in which help shows them.
func commands() []command {
	return []command{serveCommand(), initCommand(), vapidCommand(), checkCommand(), statusCommand(), devicesCommand(), sendCommand(), explainCommand(), simulateCommand(), directoryCommand(), noticesCommand(), emitCommand(), storeCommand(), demoCommand(), benchCommand(), versionCommand()}
}

// usage is an error in how rouse was called.
type usage struct{ text, hint string }

func (u usage) Error() string { return u.text }

// errProblems is what check ends with when it found some: they are printed already.
var errProblems = errors.New("problems found")

// run is the whole program but for the process around it.
func run(args []string, io stdio) int {
	if len(args) == 0 {
		overview(io.err)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return help(rest, io)
	case "-v", "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(rest, io)
		}
	}
	u := usage{text: fmt.Sprintf("unknown command %q", name), hint: "rouse help lists them"}
	return report(io, u)
}

func (c command) run(args []string, io stdio) int {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(discard{})
	do := c.set(fs)
	err := parseFlags(fs, c.name, c.name, args)
	if err == nil {
		err = do(io, fs.Args())
	}
	if errors.Is(err, flag.ErrHelp) {
		c.usage(io.out)
		return exitFine
	}
	return report(io, err)
}

// parseFlags reads the flags of a command, or those behind its first argument;
// the error is a usage, or flag.ErrHelp. what is the command as it was given.
func parseFlags(fs *flag.FlagSet, command, what string, args []string) error {
	err := fs.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	cause := strings.Replace(err.Error(), "flag provided but not defined: ", "unknown flag ", 1)
	return usage{text: what + ": " + cause, hint: "rouse help " + command}
}

// flagsAnywhere reads flags that may stand between arguments, and gives the arguments.
func flagsAnywhere(fs *flag.FlagSet, command, what string, args []string) (rest []string, err error) {
	for {
		if err := parseFlags(fs, command, what, args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// report prints an error as one line with place, cause and remedy, and gives the exit code.
func report(io stdio, err error) int {
	var u usage
	var several config.Errors
	var one *config.Error
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errProblems):
		return exitProblems
	case errors.As(err, &u):
		fmt.Fprintf(io.err, "rouse: %s\n", u.text)
		if u.hint != "" {
			fmt.Fprintf(io.err, "hint: %s\n", u.hint)
		}
		return exitUsage
	case errors.As(err, &several), errors.As(err, &one):
		config.Report(io.err, "rouse", err)
		return exitConfig
	}
	text, hint := hinted(err)
	fmt.Fprintf(io.err, "rouse: %s\n", text)
	if hint != "" {
		fmt.Fprintf(io.err, "hint: %s\n", hint)
	}
	return exitFailed
}

// hinted gives an error and its remedy apart: most errors that know a remedy say
// it at their end as well.
func hinted(err error) (text, hint string) {
	text = err.Error()
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() == "" {
		return text, ""
	}
	hint = h.Hint()
	for _, end := range []string{" (" + hint + ")", "; " + hint} {
		text = strings.Replace(text, end, "", 1)
	}
	return text, hint
}

func help(args []string, io stdio) int {
	if len(args) == 0 {
		overview(io.out)
		return exitFine
	}
	for _, c := range commands() {
		if c.name == args[0] {
			c.usage(io.out)
			return exitFine
		}
	}
	return report(io, usage{text: fmt.Sprintf("unknown command %q", args[0]), hint: "rouse help lists them"})
}

func overview(w io.Writer) {
	fmt.Fprint(w, "rouse wakes the phones of an XMPP server's users.\n\nUsage: rouse COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.about)
	}
	fmt.Fprint(w, "  help      show this, or more about one command\n\n"+
		"Commands that need a configuration read -c FILE, else $ROUSE_CONFIG, else rouse.toml,\nelse /etc/rouse/rouse.toml.\n"+
		"Exit codes: 0 fine, 1 failed, 2 check, send or simulate found problems,\n64 usage, 78 configuration.\n")
}

func (c command) usage(w io.Writer) {
	fmt.Fprintf(w, "Usage: rouse %s\n\n%s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	if c.more != "" {
		fmt.Fprintf(w, "\n%s\n", c.more)
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.set(fs)
	any := false
	fs.VisitAll(func(f *flag.Flag) {
		if !any {
			fmt.Fprint(w, "\nFlags:\n")
			any = true
		}
		dash := "--"
		if len(f.Name) == 1 {
			dash = "-"
		}
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-18s %s\n", strings.TrimSpace(dash+f.Name+" "+value), text)
	})
}

// configFlags declares -c and --config, and gives what loads the file.
func configFlags(fs *flag.FlagSet) func(stdio) (*config.Config, string, error) {
	var path string
	fs.StringVar(&path, "c", "", "read this `FILE`")
	fs.StringVar(&path, "config", "", "the same as -c `FILE`")
	return func(io stdio) (*config.Config, string, error) {
		found, err := config.Find(path, io.env("ROUSE_CONFIG"), func(p string) bool {
			_, err := os.Stat(p)
			return err == nil
		})
		if err != nil {
			return nil, "", err
		}
		cfg, err := config.Load(found)
		return cfg, found, err
	}
}

// noArgs refuses what no command takes.
func noArgs(name string, args []string) error {
	if len(args) > 0 {
		return usage{text: fmt.Sprintf("%s: unexpected argument %q", name, args[0]), hint: "rouse help " + name}
	}
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
