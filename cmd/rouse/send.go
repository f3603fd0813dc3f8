package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http/httptrace"
	"time"

	"rouse/config"
	"rouse/push"
	"rouse/push/apns"
	"rouse/push/webpush"
	"rouse/session"
)

func sendCommand() command {
	return command{
		name: "send", args: "JID [-c FILE] [--device NODE] [--class message|call|silent] [--json]", about: "send a test push to a device, and say how each hop went",
		more: "Finds the device as rouse devices does, and has its provider send it what a wake would be, made by the same code and\n" +
			"with the same credentials as serve has. No rule is asked, nothing is owed for it, and no registration ends by it; the\n" +
			"record of the device gets a line. Without --device the account must have one device; the beginning of its node will do.\n" +
			"That a provider took a push proves all hops up to it, and not that the phone showed it.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			c := &sendCall{load: configFlags(fs), flags: fs}
			fs.StringVar(&c.device, "device", "", "the device whose node is, or begins with, `NODE`")
			fs.StringVar(&c.class, "class", "message", "what it is to look like, a `CLASS`: message, call or silent")
			fs.BoolVar(&c.json, "json", false, "one JSON object a line")
			return c.run
		},
	}
}

// sendCall is one call of rouse send.
type sendCall struct {
	load          func(stdio) (*config.Config, string, error)
	flags         *flag.FlagSet
	device, class string
	json          bool
}

func (c *sendCall) run(io stdio, args []string) error {
	args, err := flagsAnywhere(c.flags, "send", "send", args)
	switch {
	case err != nil:
		return err
	case len(args) == 0:
		return usage{text: "send: to whom?", hint: "rouse send JID; rouse devices lists them"}
	case len(args) > 1:
		return usage{text: fmt.Sprintf("send: unexpected argument %q", args[1]), hint: "rouse send JID --device NODE"}
	case !isAccount(args[0]) && c.device != "":
		return usage{text: fmt.Sprintf("send: %q is not the JID of an account", args[0]), hint: "rouse send JID --device NODE"}
	}
	if _, err := bareJID(args[0]); err != nil {
		return usage{text: fmt.Sprintf("send: %q is not a JID", args[0]), hint: "like juliet@example.org"}
	}
	class, err := session.ParseClass(c.class)
	if err != nil || class != session.Message && class != session.Call && class != session.Silent {
		return usage{text: fmt.Sprintf("send: there is no class %q to send", c.class), hint: "message, call or silent"}
	}
	begun := time.Now()
	cfg, path, err := c.load(io)
	if err != nil {
		return err
	}
	p := &printer{out: io.out, json: c.json}
	p.print(finding{Place: "config", OK: true, Text: path, Took: took(begun)})
	ctx, stop := stopSignals(context.Background(), io.err)
	defer stop()
	begun = time.Now()
	d, err := openDesk(ctx, cfg)
	if err != nil {
		return err
	}
	if c.device != "" {
		args = append(args, c.device)
	}
	return errors.Join(c.send(ctx, cfg, d, args, class, begun, p), d.close())
}

func took(since time.Time) string {
	switch d := time.Since(since); {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

// send does it, hop by hop.
func (c *sendCall) send(ctx context.Context, cfg *config.Config, d desk, args []string, class session.Class, begun time.Time, p *printer) error {
	r, err := pick(ctx, d, args)
	if err != nil {
		return err
	}
	if r.Service != "" {
		return hint{"the device is registered with " + r.Service + ", a third party's service", "its account's server publishes there, rouse does not: send a message to the account, and look at rouse devices show"}
	}
	target, owner, err := d.target(ctx, r.Node, r.Account)
	if err != nil {
		return err
	}
	p.print(finding{Place: "store", OK: true, Text: "asked " + d.name(), Took: took(begun)})
	p.print(c.found(r, target))
	if target.Token == "" {
		return p.end()
	}
	var app *config.App
	place := ""
	for i := range cfg.Apps {
		if cfg.Apps[i].Name == target.App {
			app, place = &cfg.Apps[i], cfg.Place(fmt.Sprintf("app[%d]", i))
		}
	}
	if app == nil {
		p.print(finding{Place: "app", Text: fmt.Sprintf("the device is of an app %q, and there is none", target.App),
			Why: "its wakes wait until there is", Fix: "add an [[app]] with this name, or have the app register again"})
		return p.end()
	}
	begun = time.Now()
	provider, err := provider(app, &cfg.Push, new(apns.Keys))
	if err != nil {
		text, fix := hinted(err)
		p.print(finding{Place: "app", Text: text, Fix: cmp.Or(fix, "see [[app]]") + " (" + place + ")"})
		return p.end()
	}
	if end, ok := provider.(interface{ Close() error }); ok {
		defer end.Close()
	}
	p.print(finding{Place: "app", OK: true, Text: fmt.Sprintf("%s by %s, profile %s, class %s", app.Name, app.Provider, app.Profile, class), Took: took(begun)})

	now := time.Now()
	address := session.Address{Node: r.Node}
	if cfg.Component != nil {
		address.Service = cfg.Component.JID
	}
	result := deliver(ctx, app, provider, push.NotificationOf(session.Job{
		Owner: owner, ID: newID(), Target: target, Key: session.WakeKey{Address: address, Class: class},
		Wake: session.Wake{Count: 1, Since: now, Due: now},
	}), p)
	verdict := verdictOf(app, result)
	if verdict.Fix != "" && result.Outcome.Stops() {
		verdict.Fix += " (" + place + ")"
	}
	p.print(verdict)
	if verdict.OK {
		p.print(finding{Place: "proved", OK: true, Text: "the credentials, the app and the token are right, and " + app.Provider + " is reached from here"})
		p.print(finding{Place: "not proved", OK: true, Text: "that the phone shows it. If it does not: is it online, may the app notify, was it stopped by force or to save power?"})
	}
	if f, off := clockFinding(app.Name, provider); off {
		p.print(f)
	}
	line := session.Reason{At: now.UTC(), Event: session.Test, Verdict: session.GaveUp, Class: class, Endpoint: address,
		Why: "a test push: " + app.Provider + ": " + result.Reason}
	if result.Outcome == push.Delivered {
		line.Verdict = session.Sent
	}
	if err := d.note(ctx, owner, line); err != nil {
		p.print(finding{Place: "record", OK: true, Warn: true, Text: "the device's record has no line of it: " + err.Error()})
	}
	return p.end()
}

// found says what there is of the device before anything is sent.
func (c *sendCall) found(r deviceReport, target session.Registration) finding {
	f := finding{Place: "device", OK: true, Text: r.Node + " of " + r.whose()}
	for _, o := range r.Owed {
		f.Text += fmt.Sprintf("; a wake is owed to it: %s, due %s", o.Class, when(o.Due))
	}
	switch {
	case target.Token == "":
		f.OK, f.Why, f.Fix = false, "its registration ended: "+dash(r.Dead), "its app has to register again: log out and in there"
	case r.Dead != "":
		f.Warn, f.Why = true, "no wake is sent to it, since it is dead: "+r.Dead
		f.Fix = "if the push arrives, its app has to register again to be woken: log out and in there"
	}
	return f
}

// deliver has a provider send, and tells how it was reached.
func deliver(ctx context.Context, app *config.App, provider push.Provider, n push.Notification, p *printer) push.Result {
	timeout := push.DefaultTimeout
	if app.Provider == config.WebPush {
		timeout = webpush.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var hops hops
	begun := time.Now()
	r := provider.Send(httptrace.WithClientTrace(ctx, hops.trace()), n)
	hops.ended(r.Outcome, begun, app.Provider == config.FCM, p)
	return r
}

// verdictOf is what the provider said, what serve would have made of it, and what
// is to be done.
func verdictOf(app *config.App, r push.Result) finding {
	f := finding{Place: app.Provider + " " + app.Name, Text: fmt.Sprintf("%s: %q", r.Outcome, r.Reason), Fix: r.Remedy}
	if r.Err != nil {
		f.Text += ": " + r.Err.Error()
	}
	if !r.Since.IsZero() {
		f.Text += ", since " + when(r.Since)
	}
	switch r.Outcome {
	case push.Delivered:
		f.OK, f.Text = true, fmt.Sprintf("took the push (%s)", r.Reason)
	case push.TokenGone:
		f.Why = "serve would end this registration; send leaves it as it is"
		if r.Doubtful {
			f.Why = "serve would end this registration, if " + app.Name + " has delivered anything since it started; else it keeps it, since the app's settings may be wrong"
		}
		f.Fix = andAlso(r.Remedy, "if it is this device alone, its app has to register again: log out and in there")
	case push.RateLimited:
		f.Why, f.Fix = "serve would try again later", cmp.Or(r.Remedy, "wait: this device gets too much")
	case push.Unavailable:
		f.Why, f.Fix = "serve would try again", cmp.Or(r.Remedy, "try again; rouse check tries without a device")
	case push.BadCredentials, push.BadConfig:
		f.Why = "until this is right no device of " + app.Name + " is woken; registrations and wakes are kept"
	default:
		f.Why = "serve would give this wake up, and keep the registration"
	}
	return f
}

func andAlso(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// newID is a random UUID (RFC 9562 §5.4).
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
