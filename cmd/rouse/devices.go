package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/config"
)

func devicesCommand() command {
	return command{
		name: "devices", args: "[list|show|forget] [flags] …", about: "list the devices that registered, show one, or forget one",
		more: "rouse devices [list] [-c FILE] [--json] [JID|DOMAIN]\n" +
			"  Lists all devices, those that servers of a domain may publish to, or those of an account.\n" +
			"rouse devices show [-c FILE] [--json] [JID] [NODE]\n" +
			"  Tells all that there is of one: when it registered, what is owed to it, what came of its last wake.\n" +
			"rouse devices forget [-c FILE] [--json] [--yes] [JID] [NODE]\n" +
			"  Ends its registration, with the wakes that are owed to it. Servers that publish to it are told to\n" +
			"  forget it too. It is back when its app registers again.\n\n" +
			"With a JID a part of the node will do, or none if there is one device only. May run beside a rouse that\n" +
			"serves: that one is asked, or the Redis that is the store. No token is ever shown.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &devicesCall{load: configFlags(fs), flags: fs}
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			fs.BoolVar(&c.yes, "yes", false, "forget without asking")
			return c.run
		},
	}
}

// devicesCall is one call of rouse devices.
type devicesCall struct {
	load      func(stdio) (*config.Config, string, error)
	flags     *flag.FlagSet
	json, yes bool
}

func (c *devicesCall) run(io stdio, args []string) error {
	verb, rest := "list", args
	if len(args) > 0 && !strings.ContainsAny(args[0], "@.") {
		verb, rest = args[0], args[1:]
	}
	do := map[string]func(context.Context, stdio, *config.Config, desk, []string) error{"list": c.list, "show": c.show, "forget": c.forget}[verb]
	if do == nil {
		return usage{text: fmt.Sprintf("devices: there is no %q", verb), hint: "rouse devices list, show or forget"}
	}
	args, err := flagsAnywhere(c.flags, "devices", "devices "+verb, rest)
	switch {
	case err != nil:
		return err
	case c.yes && verb != "forget":
		return usage{text: "devices " + verb + ": --yes goes with forget", hint: "rouse help devices"}
	}
	if err := c.fits(verb, args); err != nil {
		return err
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
	return errors.Join(do(ctx, io, cfg, d, args), d.close())
}

// fits refuses arguments that make no sense, before anything is opened.
func (c *devicesCall) fits(verb string, args []string) error {
	most := 2
	if verb == "list" {
		most = 1
	}
	switch {
	case len(args) > most:
		return usage{text: fmt.Sprintf("devices %s: unexpected argument %q", verb, args[most]), hint: "rouse help devices"}
	case len(args) == 0 && verb != "list":
		return usage{text: "devices " + verb + ": which one?", hint: "rouse devices " + verb + " JID, or NODE, as rouse devices lists them"}
	case len(args) == 2 && !isAccount(args[0]):
		return usage{text: fmt.Sprintf("devices %s: %q is not the JID of an account", verb, args[0]), hint: "rouse devices " + verb + " JID NODE"}
	}
	if len(args) > 0 && (verb == "list" || isAccount(args[0])) {
		if _, err := bareJID(args[0]); err != nil {
			return usage{text: fmt.Sprintf("devices %s: %q is not a JID", verb, args[0]), hint: "like juliet@example.org, or example.org for a list"}
		}
	}
	return nil
}

// list is rouse devices list.
func (c *devicesCall) list(ctx context.Context, io stdio, cfg *config.Config, d desk, args []string) error {
	whom := ""
	if len(args) > 0 {
		whom, _ = bareJID(args[0])
	}
	out := bufio.NewWriter(io.out)
	n := 0
	err := d.devices(ctx, whom, func(r deviceReport) error {
		if n++; c.json {
			return json.NewEncoder(out).Encode(r)
		}
		if n == 1 {
			writeDeviceHead(out)
		}
		r.line(out)
		return nil
	})
	if n == 0 && err == nil && !c.json {
		fmt.Fprintln(out, "no device is registered"+missing(cfg, whom))
	}
	return errors.Join(err, out.Flush())
}

// missing says why there may be none though there should be.
func missing(cfg *config.Config, whom string) string {
	_, domain, _ := strings.Cut(whom, "@")
	switch {
	case whom == "":
		return ""
	case domain == "":
		return " from " + whom
	case cfg.Component != nil && slices.Contains(cfg.Component.Hosts, domain):
		return " or enabled by " + whom
	}
	return " by " + whom + "; one that was before rouse kept lists is back when its app next logs in"
}

// show is rouse devices show.
func (c *devicesCall) show(ctx context.Context, io stdio, _ *config.Config, d desk, args []string) error {
	r, err := pick(ctx, d, args)
	if err == nil {
		c.tell(io.out, r)
	}
	return err
}

func (c *devicesCall) tell(w io.Writer, r deviceReport) {
	if c.json {
		json.NewEncoder(w).Encode(r)
		return
	}
	r.write(w, time.Now())
}

// forget is rouse devices forget.
func (c *devicesCall) forget(ctx context.Context, io stdio, cfg *config.Config, d desk, args []string) error {
	r, err := pick(ctx, d, args)
	switch {
	case err != nil:
		return err
	case r.Service != "":
		return hint{"the device is registered with " + r.Service + ", not here", "its account's server can forget it, when the app disables push"}
	}
	if !c.yes {
		r.write(io.err, time.Now())
		fmt.Fprint(io.err, "forget it? [y/N] ")
		answer, err := bufio.NewReader(io.in).ReadString('\n')
		if err != nil && answer == "" {
			fmt.Fprintln(io.err)
			return usage{text: "devices forget: nobody answers whether it is meant", hint: "--yes"}
		}
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			return errors.New("it stays")
		}
	}
	if r, err = d.forget(ctx, r.Node, r.Account); err != nil {
		return err
	}
	if c.json {
		json.NewEncoder(io.out).Encode(r)
		return nil
	}
	dropped := "nothing was owed to it"
	if n := len(r.Owed); n > 0 {
		dropped = fmt.Sprintf("with the wakes that were owed to it (%d)", n)
	}
	fmt.Fprintf(io.out, "forgot %s of %s, %s\n", r.Node, r.whose(), dropped)
	if cfg.Store.Redis != nil {
		fmt.Fprintln(io.out, "a rouse that knows it from memory may take a publish for it in the next 30 s")
	}
	return nil
}

// pick finds the device that is meant: by its node, by an account with a part of
// the node, or by an account that has one only.
func pick(ctx context.Context, d desk, args []string) (deviceReport, error) {
	if !isAccount(args[0]) {
		r, err := d.device(ctx, args[0], "")
		if errors.Is(err, errNoDevice) {
			err = hint{fmt.Sprintf("no device has the node %q", args[0]), "rouse devices list; with the account's JID before it a part of the node will do"}
		}
		return r, err
	}
	account, err := bareJID(args[0])
	if err != nil {
		return deviceReport{}, err
	}
	part := ""
	if len(args) > 1 {
		part = args[1]
	}
	var found []deviceReport
	all := 0
	err = d.devices(ctx, account, func(r deviceReport) error {
		if all++; strings.HasPrefix(r.Node, part) {
			found = append(found, r)
		}
		return nil
	})
	switch {
	case err != nil:
		return deviceReport{}, err
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && part != "":
		if r, err := d.device(ctx, part, account); !errors.Is(err, errNoDevice) {
			return r, err // as the client chose it
		}
		return deviceReport{}, hint{fmt.Sprintf("none of the %d devices of %s has a node that begins with %q", all, account, part), "rouse devices list " + account}
	case len(found) == 0:
		return deviceReport{}, hint{account + " has no device", "rouse devices list " + account[strings.Index(account, "@")+1:]}
	}
	var nodes []string
	for _, r := range found {
		nodes = append(nodes, r.Node[:min(len(r.Node), 8)])
	}
	return deviceReport{}, hint{fmt.Sprintf("%s has %d devices: %s", account, len(found), strings.Join(nodes, ", ")), "name one by the beginning of its node; rouse devices list " + account}
}

func isAccount(s string) bool { return strings.Contains(s, "@") }

// bareJID is an address of an account or a domain in normal form.
func bareJID(s string) (string, error) {
	j, err := jid.Parse(s)
	if err != nil {
		return "", err
	}
	return j.Bare().String(), nil
}
