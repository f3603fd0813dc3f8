package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"rouse/config"
	"rouse/notice/emit"
)

func emitCommand() command {
	return command{
		name: "emit", args: "[-c FILE | --socket PATH] [--kind KIND] [--to JID] ... [TEXT]", about: "give a notice to the rouse that serves on this machine, for scripts",
		more: "The text is that of the arguments, or of --env NAME, or else of standard input. It is told to\n" +
			"those that --to and --user name, else to administrators, and programs run on it ([[exec]]).\n" +
			"--json takes a CloudEvent from standard input in place of all that. Once it ends with 0 the\n" +
			"notice is written down, and will be told; with --id the same one twice is told once.\n\n" +
			"Needs notices.socket in the configuration. $ROUSE_SOCKET is the default of --socket.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &emitCall{load: configFlags(fs)}
			fs.StringVar(&c.socket, "socket", "", "the socket, in place of that of the configuration")
			fs.StringVar(&c.kind, "kind", "notice", "what it is, like backup.failed")
			fs.StringVar(&c.severity, "severity", "info", "info, warning or error")
			fs.StringVar(&c.subject, "subject", "", "what it is about")
			fs.StringVar(&c.source, "source", "", "where it is from; the name of this machine")
			fs.StringVar(&c.id, "id", "", "its id; a new one")
			fs.StringVar(&c.link, "link", "", "where there is more")
			fs.StringVar(&c.variable, "env", "", "take the text from this environment variable")
			fs.Var(&c.to, "to", "an account to tell; may be given again")
			fs.Var(&c.users, "user", "a user of the directory whom it concerns; may be given again")
			fs.Var(&c.fields, "field", "NAME=VALUE for filters and programs; may be given again")
			fs.BoolVar(&c.json, "json", false, "a CloudEvent stands on standard input")
			return c.run
		},
	}
}

// several is a flag that may be given again.
type several []string

func (s *several) String() string     { return strings.Join(*s, ",") }
func (s *several) Set(v string) error { *s = append(*s, v); return nil }

type emitCall struct {
	load                                                        func(stdio) (*config.Config, string, error)
	socket, kind, severity, subject, source, id, link, variable string
	to, users, fields                                           several
	json                                                        bool
}

const emitTime = 30 * time.Second

func (c *emitCall) run(io stdio, args []string) error {
	body, err := c.body(io, args)
	if err != nil {
		return err
	}
	if c.socket == "" {
		c.socket = io.env("ROUSE_SOCKET")
	}
	if c.socket == "" {
		cfg, _, err := c.load(io)
		if err != nil {
			return err
		}
		if cfg.Notices.Socket == "" {
			return hint{"rouse takes no notices here", `[notices] socket = "emit.sock"`}
		}
		c.socket = cfg.Notices.Socket
	}
	ctx, cancel := context.WithTimeout(context.Background(), emitTime)
	defer cancel()
	answer, err := give(ctx, c.socket, body)
	if err != nil {
		return err
	}
	for _, id := range answer.IDs {
		fmt.Fprintln(io.out, id)
	}
	return nil
}

// body is the event.
func (c *emitCall) body(sio stdio, args []string) ([]byte, error) {
	read := func() ([]byte, error) {
		b, err := io.ReadAll(io.LimitReader(sio.in, emit.MaxBytes+1))
		if err == nil && len(b) > emit.MaxBytes {
			err = fmt.Errorf("emit: there is more than %d bytes on standard input", emit.MaxBytes)
		}
		return b, err
	}
	if c.json {
		if len(args) > 0 {
			return nil, usage{text: "emit: with --json the text stands on standard input", hint: "rouse help emit"}
		}
		return read()
	}
	e := emit.Event{SpecVersion: "1.0", ID: c.id, Source: c.source, Type: c.kind, Subject: c.subject,
		Data: &emit.Data{Text: strings.Join(args, " "), Severity: c.severity, To: c.to, Users: c.users, Link: c.link}}
	if e.Source == "" {
		e.Source = machine()
	}
	if e.ID == "" {
		e.ID = newID()
	}
	for _, f := range c.fields {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, usage{text: fmt.Sprintf("emit: --field %q is not NAME=VALUE", f), hint: "rouse help emit"}
		}
		if e.Data.Fields == nil {
			e.Data.Fields = make(map[string]string)
		}
		e.Data.Fields[name] = value
	}
	switch {
	case c.variable != "" && len(args) > 0:
		return nil, usage{text: "emit: there are two texts", hint: "one of --env and arguments"}
	case c.variable != "":
		e.Data.Text = sio.env(c.variable)
	case len(args) == 0 || len(args) == 1 && args[0] == "-":
		b, err := read()
		if err != nil {
			return nil, err
		}
		e.Data.Text = string(b)
	}
	return json.Marshal(e)
}

// give posts an event to a socket.
func give(ctx context.Context, socket string, body []byte) (answer emit.Answer, err error) {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rouse"+emit.Path, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	resp, err := client.Do(r)
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return answer, hint{fmt.Sprintf("nobody takes notices at %s: %v", socket, op.Err), "is rouse serving, and may you write to the socket?"}
	case err != nil:
		return answer, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, emit.MaxBytes))
	switch {
	case err != nil:
		return answer, err
	case resp.StatusCode != http.StatusAccepted:
		return answer, fmt.Errorf("it is not taken: %s", strings.TrimSpace(string(text)))
	}
	return answer, json.Unmarshal(text, &answer)
}
