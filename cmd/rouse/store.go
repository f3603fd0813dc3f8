package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rouse/config"
)

func storeCommand() command {
	return command{
		name: "store", args: "copy|verify [flags] …", about: "copy a store into another, or verify one",
		more: "rouse store copy [--password-file FILE] [--ca-file FILE] [--json] FROM TO\n" +
			"  Copies everything into an empty store and proves that both hold the same. Nobody may work on either\n" +
			"  meanwhile. Broken off, even by kill -9, it goes on with the same command.\n" +
			"rouse store verify [-c FILE] [--password-file FILE] [--ca-file FILE] [--json] [STORE]\n" +
			"  Reads everything in a store, by default the configuration's, and says what is there or what is wrong.\n" +
			"  Nobody may work on it meanwhile.\n\n" +
			"FROM, TO and STORE are written as store.url is: sqlite:FILE, redis://host:6379/0, redis+cluster://…,\n" +
			"redis+sentinel://…; files are relative to the working directory. Others can see what stands on a command\n" +
			"line: the password of a Redis belongs into a file.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &storeCall{load: configFlags(fs), flags: fs}
			fs.StringVar(&c.password, "password-file", "", "the password of the Redis that is named, mode 0600, in `FILE`")
			fs.StringVar(&c.authorities, "ca-file", "", "certificates to trust when it has TLS, in `FILE`")
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			return c.run
		},
	}
}

// storeCall is one call of rouse store.
type storeCall struct {
	load                  func(stdio) (*config.Config, string, error)
	flags                 *flag.FlagSet
	password, authorities string // files
	json                  bool
}

func (c *storeCall) run(io stdio, args []string) error {
	const verbs = "rouse store copy FROM TO, or rouse store verify"
	if len(args) == 0 {
		return usage{text: "store: what is to be done?", hint: verbs}
	}
	do := map[string]func(context.Context, stdio, []string) error{"copy": c.copy, "verify": c.verify}[args[0]]
	if do == nil {
		return usage{text: fmt.Sprintf("store: there is no %q", args[0]), hint: verbs}
	}
	if err := parseFlags(c.flags, "store", "store "+args[0], args[1:]); err != nil {
		return err
	}
	ctx, stop := stopSignals(context.Background(), io.err)
	defer stop()
	return do(ctx, io, c.flags.Args())
}

// given reports whether a flag is on the command line.
func (c *storeCall) given(names ...string) (found string) {
	c.flags.Visit(func(f *flag.Flag) {
		for _, n := range names {
			if f.Name == n {
				found = n
			}
		}
	})
	return found
}

// named reads an address from the command line; what is its part there. Marks that
// are about a Redis are not about a file beside it.
func (c *storeCall) named(what, url string, beside ...string) (*config.Store, error) {
	password, authorities := c.password, c.authorities
	if strings.HasPrefix(url, "sqlite:") && len(beside) > 0 && !strings.HasPrefix(beside[0], "sqlite:") {
		password, authorities = "", ""
	}
	s, err := config.StoreAt(url, password, authorities)
	var files config.Errors
	var wrong *config.Error
	if !errors.As(err, &files) && errors.As(err, &wrong) {
		return nil, usage{text: "store " + what + ": " + wrong.Cause, hint: wrong.Hint}
	}
	if err == nil && s.Redis == nil {
		// The name of a store should be the same wherever the command is given.
		if s.Path, err = filepath.Abs(s.Path); err == nil {
			s.Name = "sqlite:" + s.Path
		}
	}
	return s, err
}

// there refuses a file that opening would make.
func there(s *config.Store) error {
	if s.Redis != nil {
		return nil
	}
	if _, err := os.Stat(s.Path); err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return hint{fmt.Sprintf("%s: %v", s.Name, err), "is it the right file?"}
	}
	return nil
}
