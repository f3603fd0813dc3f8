package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/pubsub"
	"rouse/component/stanza"
	"rouse/config"
	"rouse/push/apns"
)

func checkCommand() command {
	return command{
		name: "check", args: "[-c FILE] [--json]", about: "prove that the configuration works: store, link, credentials, files",
		more: "Looks at the Redis that is the store, if one is. Connects to the XMPP server with the component's secret, asks the module of each host how it stands, and asks\n" +
			"APNs and FCM to judge our credentials without waking anybody: APNs gets a push to a token of zeros and must find fault with the token, not with us;\n" +
			"FCM gets a message that is validated only; the directory is asked as serve asks it; for Web Push there is nobody to ask, so the key is tried and its public half printed. Each line says what was found, why it matters and what to change.\n" +
			"May run beside a serving rouse.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			load := configFlags(fs)
			asJSON := fs.Bool("json", false, "one JSON object a line")
			return func(io stdio, args []string) error {
				if err := noArgs("check", args); err != nil {
					return err
				}
				cfg, path, err := load(io)
				if err != nil {
					return err
				}
				ctx, stop := stopSignals(context.Background(), io.err)
				defer stop()
				p := printer{out: io.out, json: *asJSON}
				p.print(finding{Place: "config", OK: true, Text: path})
				checkStore(ctx, &cfg.Store, &p)
				checkLink(ctx, cfg, &p)
				checkApps(ctx, cfg, &p)
				checkDirectory(ctx, cfg, &p)
				checkNotices(cfg, &p)
				return p.end()
			}
		},
	}
}

// finding is one line of check.
type finding struct {
	Place string `json:"place"`
	OK    bool   `json:"ok"`
	Warn  bool   `json:"warn,omitempty"` // works, and should be looked at
	Text  string `json:"text"`
	Why   string `json:"why,omitempty"`
	Fix   string `json:"fix,omitempty"`
	Took  string `json:"took,omitempty"`
}

type printer struct {
	out            io.Writer
	json           bool
	failed, warned int
}

func (p *printer) print(f finding) {
	word := "ok"
	switch {
	case !f.OK:
		p.failed++
		word = "FAIL"
	case f.Warn:
		p.warned++
		word = "warn"
	}
	if p.json {
		json.NewEncoder(p.out).Encode(f)
		return
	}
	if f.Took != "" {
		f.Text += ", " + f.Took
	}
	fmt.Fprintf(p.out, "%-20s %-5s %s\n", f.Place, word, f.Text)
	if f.Why != "" {
		fmt.Fprintf(p.out, "%26s why: %s\n", "", f.Why)
	}
	if f.Fix != "" {
		fmt.Fprintf(p.out, "%26s fix: %s\n", "", f.Fix)
	}
}

func (p *printer) end() error {
	if !p.json {
		switch {
		case p.failed+p.warned == 0:
			fmt.Fprintln(p.out, "all is well")
		default:
			fmt.Fprintf(p.out, "%d failed, %d to be looked at\n", p.failed, p.warned)
		}
	}
	if p.failed > 0 {
		return errProblems
	}
	return nil
}

const (
	linkTime = 15 * time.Second
	pushTime = 30 * time.Second
)

// checkLink makes the component link, at each address, and lets it go again.
func checkLink(ctx context.Context, cfg *config.Config, p *printer) {
	if cfg.Component == nil {
		p.print(finding{Place: "component", OK: true, Warn: true, Text: "no [component] in the configuration: this rouse talks to no XMPP server"})
		return
	}
	var found, hosts []finding
	works := false
	for _, address := range cfg.Component.Address {
		f, more := handshake(ctx, cfg, address, hosts == nil)
		found = append(found, f)
		hosts = append(hosts, more...)
		works = works || f.OK
	}
	for _, f := range found {
		switch {
		case f.OK:
		case works:
			f.OK, f.Warn = true, true // it is what the others are there for
		case f.Why == "":
			f.Why = "without this link nobody can register, and nothing is reported to rouse"
		}
		p.print(f)
	}
	for _, f := range hosts {
		p.print(f)
	}
}

// handshake makes a link at one address and waits for its first outcome. Where it
// comes up, the modules of the hosts are asked over it, if wanted.
func handshake(ctx context.Context, cfg *config.Config, server string, ask bool) (f finding, hosts []finding) {
	f.Place = "component"
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, linkTime)
	defer cancel()
	states := make(chan component.State, 16)
	link, err := passingLink(cfg.Component, server, func(s component.State) {
		select {
		case states <- s:
		default:
		}
	})
	if err != nil {
		f.Text = err.Error()
		return f, nil
	}
	alive, letGo := context.WithCancel(whole)
	begun := time.Now()
	done := make(chan error, 1)
	go func() { done <- link.Run(alive) }()
	defer func() {
		letGo()
		<-done
	}()
	for {
		select {
		case <-ctx.Done():
			f.Text = fmt.Sprintf("no answer from %s in %v", server, linkTime)
			f.Fix = "is component.address (" + cfg.Place("component.address") + ") the component port (Prosody: component_ports, 5347) of a running server?"
			return f, nil
		case s := <-states:
			switch {
			case s.Kind == component.Up:
				f.OK = true
				f.Text = fmt.Sprintf("%s via %s, handshake %v", cfg.Component.JID, server, time.Since(begun).Round(time.Millisecond))
				if ask {
					hosts = checkHosts(alive, cfg, link)
				}
				return f, hosts
			case s.Kind == component.Down && s.Cause != nil:
				return refusal(cfg, f, s), nil
			}
		}
	}
}

// passingLink is a link that is made to see whether it can be made. Whoever takes
// us for a serving rouse meanwhile is told to come again: with another error a
// server might delete a registration.
func passingLink(c *config.Component, server string, onState func(component.State)) (*component.Component, error) {
	address, err := jid.Parse(c.JID)
	if err != nil {
		return nil, err
	}
	link, err := component.New(component.Config{
		JID: address, Addresses: []string{server}, Secret: component.StaticSecret(c.Secret.Reveal()), OnState: onState,
	})
	if err != nil {
		return nil, err
	}
	link.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(notNow{}, false))
	return link, nil
}

type notNow struct{}

func (notNow) Publish(context.Context, string, pubsub.Notice) pubsub.Verdict { return pubsub.Later }

// refusal says what a refused handshake means.
func refusal(cfg *config.Config, f finding, s component.State) finding {
	var e *stanza.StreamError
	f.Text = s.Address + ": " + strings.TrimPrefix(s.Cause.Error(), "dial tcp "+s.Address+": ")
	if !errors.As(s.Cause, &e) {
		f.Fix = "is the server running, and is component.address (" + cfg.Place("component.address") + ") its component port (Prosody: component_ports, 5347)?"
		return f
	}
	switch e.Condition {
	case "conflict":
		f.OK, f.Text = true, s.Address+": the secret is right; another rouse holds the link now"
	case "not-authorized":
		key := "component.secret"
		if cfg.Component.SecretFile != "" {
			key = "component.secret_file"
		}
		f.Why = "the server has another secret for " + cfg.Component.JID
		f.Fix = fmt.Sprintf("make %s (%s) and the server's the same (Prosody: component_secret below Component %q)", key, cfg.Place(key), cfg.Component.JID)
	case "host-unknown":
		f.Why = "the server knows no component " + cfg.Component.JID
		f.Fix = fmt.Sprintf("is component.jid (%s) right? Prosody wants Component %q with component_secret, and a restart", cfg.Place("component.jid"), cfg.Component.JID)
	}
	return f
}

// checkApps asks each provider to judge our credentials.
func checkApps(ctx context.Context, cfg *config.Config, p *printer) {
	if len(cfg.Apps) == 0 {
		p.print(finding{Place: "apps", OK: true, Warn: true, Text: "no [[app]] in the configuration: no device can register here"})
	}
	var keys apns.Keys
	told := false // of the clock: once is enough
	for i := range cfg.Apps {
		app := &cfg.Apps[i]
		f := finding{Place: app.Provider + " " + app.Name}
		ctx, cancel := context.WithTimeout(ctx, pushTime)
		provider, err := provider(app, &cfg.Push, &keys)
		if err == nil {
			err = provider.Check(ctx)
		}
		cancel()
		if f.OK = err == nil; f.OK {
			f.Text = "the credentials are accepted"
			if k, ok := provider.(interface{ PublicKey() string }); ok {
				f.Text = "the key signs; apps have to subscribe with its public key: " + k.PublicKey()
			}
			if e, ok := provider.(ending); ok && !e.Expires().IsZero() {
				text, fix := expiring(e.Expires(), time.Now())
				f.Text, f.Fix, f.Warn = f.Text+"; "+text, fix, fix != ""
			}
		} else {
			place := cfg.Place(fmt.Sprintf("app[%d]", i))
			f.Text, f.Fix = hinted(err)
			if f.Fix == "" {
				f.Fix = "see [[app]]"
			}
			f.Fix += " (" + place + ")"
			f.Why = "until this is right no device of " + app.Name + " is woken; registrations and wakes are kept"
		}
		c, off := clockFinding(app.Name, provider)
		if off && !c.OK && !f.OK {
			f.Fix = "set the clock first, see below; then " + f.Fix
		}
		p.print(f)
		if off && !told {
			told = true
			p.print(c)
		}
	}
}
