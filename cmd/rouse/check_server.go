package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/events"
	"rouse/config"
)

// checkHosts asks the module of each host, over a link that is up, how it stands.
func checkHosts(ctx context.Context, cfg *config.Config, link events.Requester) []finding {
	requests := events.Requests{From: cfg.Component.JID, Link: link}
	var found []finding
	for _, host := range cfg.Component.Hosts {
		about, err := requests.About(ctx, host)
		if err != nil {
			found = append(found, noModule(cfg, host, err))
			continue
		}
		found = append(found, judge(host, about, time.Now())...)
		if cfg.Store.Redis != nil {
			found = append(found, judgeTakeover(host, about, cfg.Component.JID)...)
		}
	}
	return found
}

// noModule says what it means that nobody answered for a host.
func noModule(cfg *config.Config, host string, err error) finding {
	f := finding{Place: "host " + host, Why: "nothing that happens to sessions and stanzas of " + host + " is reported to rouse; other people's push services go on as without it"}
	var refused xmpp.Error
	if !errors.As(err, &refused) {
		f.Text = "no answer: " + err.Error()
		f.Fix = "is the server busy, or " + host + " (" + cfg.Place("component.hosts") + ") on another one?"
		return f
	}
	switch refused.Condition {
	case xmpp.Forbidden:
		f.Text = "its mod_rouse reports to somebody else"
		f.Fix = fmt.Sprintf("Prosody: rouse_component = %q on VirtualHost %q; ejabberd: mod_rouse: {component: %q}", cfg.Component.JID, host, cfg.Component.JID)
	case xmpp.RemoteServerNotFound, xmpp.ItemNotFound:
		f.Text = "the server has no such host (" + string(refused.Condition) + ")"
		f.Fix = "name the domains of your users in component.hosts (" + cfg.Place("component.hosts") + ")"
	default:
		f.Text = "mod_rouse does not answer (" + string(refused.Condition) + ")"
		f.Fix = fmt.Sprintf("load it: Prosody: \"rouse\" in modules_enabled of VirtualHost %q, and a newer one if it is older than this rouse; ejabberd: mod_rouse below modules", host)
	}
	return f
}

// What judge takes for late or wrong.
const (
	clockOff   = 5 * time.Second
	ackDelayed = time.Minute
	stuckSince = time.Minute
)

// judge says what is to be known of a host from what its module tells. The first
// finding says that it is there.
func judge(host string, a events.About, now time.Time) []finding {
	place := "host " + host
	text := strings.TrimSpace(a.Software+" "+a.Version) + " with mod_rouse " + a.Module
	found := []finding{{Place: place, OK: true, Text: strings.TrimSpace(text)}}
	say := func(ok bool, text, why, fix string) {
		found = append(found, finding{Place: place, OK: ok, Warn: ok, Text: text, Why: why, Fix: fix})
	}
	names := modulesOf(a.Software)
	if stock := names.push; stock != "" && !a.Beside[stock] {
		say(false, "mod_"+stock+" is not loaded", "it registers devices: without it no client can switch push on", names.load(stock))
	}
	if sm := names.resumption; sm != "" && !a.Beside[sm] {
		say(true, "mod_"+sm+" is not loaded", "a phone that loses its connection is logged out at once, and what was on its way may be lost", names.load(sm))
	}
	if !a.Beside["mam"] {
		say(true, "mod_mam is not loaded", "a phone that logs in anew after days finds only what was stored offline", names.load("mam"))
	}
	if off := a.Clock.Sub(now); !a.Clock.IsZero() && off.Abs() > clockOff {
		say(true, fmt.Sprintf("its clock differs from ours by %v", off.Round(time.Second)), "times in logs and records do not fit together", "synchronize both machines (timedatectl)")
	}
	if a.Away {
		say(true, "the server's own push module does the work: no batch was taken lately", "devices of your own apps are not woken meanwhile", "see the logs of both sides; docs/troubleshooting.md, hop 3")
	} else if old := now.Sub(a.Taken); a.Waiting > 0 && !a.Taken.IsZero() && old > stuckSince {
		say(true, fmt.Sprintf("%d events wait, and none was taken for %v", a.Waiting, old.Round(time.Second)), "wakes are late by as much", "see the logs of both sides; docs/troubleshooting.md, hop 3")
	}
	return append(found, judgeTimes(place, a)...)
}

// judgeTimes says which settings of the server make wakes late.
func judgeTimes(place string, a events.About) []finding {
	var found []finding
	warn := func(text, why, fix string) {
		found = append(found, finding{Place: place, OK: true, Warn: true, Text: text, Why: why, Fix: fix})
	}
	names := modulesOf(a.Software)
	delay, known := a.Seconds("ack-delay")
	timeout, hasTimeout := a.Seconds("ack-timeout")
	silence, hasSilence := a.Seconds("read-timeout")
	switch {
	case known && delay <= 0:
		late := "until the server notices"
		if hasSilence {
			late = fmt.Sprintf("for up to %v", 2*silence)
		}
		warn("a client that acknowledges nothing is never reported", "a phone whose connection is dead is not woken "+late, "set "+names.ackDelay+" = 30")
	case known && hasTimeout && delay >= timeout:
		warn(fmt.Sprintf("the ack delay (%v) is not below the ack timeout (%v)", delay, timeout), "the connection is given up before the device is woken for it: it is woken, but only then", "set "+names.ackDelay+" to half of "+names.ackTimeout+" or less")
	case known && delay > ackDelayed:
		warn(fmt.Sprintf("a client may owe an acknowledgement for %v before its device is woken", delay), "messages to a phone whose connection is dead are late by as much", "set "+names.ackDelay+" = 30")
	}
	return found
}

// judgeTakeover says whether another process can have the link at once when the one
// that has it stands still: its connection looks alive to the server.
func judgeTakeover(host string, a events.About, component string) []finding {
	if a.Settings["conflict"] != "kick_new" {
		return nil
	}
	return []finding{{Place: "host " + host, OK: true, Warn: true,
		Text: "the server refuses a second connection of " + component,
		Why:  "a rouse that is stopped, or whose machine is cut off, keeps the others on this store from the link",
		Fix:  fmt.Sprintf("component_conflict_resolve = \"kick_old\" below Component %q in prosody.cfg.lua, and a restart", component)}}
}

// serverNames are the words that a server has for the same things.
type serverNames struct {
	push, resumption     string // modules
	ackDelay, ackTimeout string // settings
	load                 func(module string) string
}

func modulesOf(software string) serverNames {
	if strings.EqualFold(software, "ejabberd") {
		return serverNames{push: "push", resumption: "stream_mgmt", ackDelay: "ack_delay of mod_rouse", ackTimeout: "ack_timeout of mod_stream_mgmt",
			load: func(m string) string { return "add mod_" + m + ": {} below modules in ejabberd.yml" }}
	}
	return serverNames{push: "cloud_notify", resumption: "smacks", ackDelay: "smacks_max_ack_delay",
		load: func(m string) string { return `add "` + m + `" to modules_enabled in prosody.cfg.lua` }}
}
