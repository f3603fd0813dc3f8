package main

import (
	"fmt"
	"strings"
)

// wishes has an app enable push once more, with what it is not to be woken for.
func (d *drama) wishes(name, what string) error {
	d.t.Helper()
	host, muc := d.server.Host(), "tigase:push:filter:groupchat:0"
	filter, ok := map[string]string{
		"no romeo":                  "<muted xmlns='tigase:push:filter:muted:0'><item jid='romeo@" + host + "'/></muted>",
		"no groups":                 "<filter xmlns='rouse:filter:0' groups='never'/>",
		"no strangers":              "<ignore-unknown xmlns='tigase:push:filter:ignore-unknown:0'/>",
		"only mentions in the room": "<groupchat xmlns='" + muc + "'><room jid='" + d.room() + "' allow='mentioned' nick='" + name + "'/></groupchat>",
		"everything":                "<filter xmlns='rouse:filter:0'/>",
	}[what]
	if !ok {
		return fmt.Errorf("nobody wants %q", what)
	}
	r := d.nodes[name]
	r.Besides = filter
	n := d.events("enable")
	d.must(d.device(name).EnablePush(d.ctx, r))
	d.saw("enable", n+1)
	return nil
}

// waiting: wakes are owed, and none has gone out.
func (d *drama) waiting() error {
	d.t.Helper()
	d.must(d.await(d.ctx, "a wake that is owed", func() bool { return d.pending() > 0 }))
	if list := d.woken(); len(list) > 0 {
		d.t.Fatalf("woken already: %v", list)
	}
	return nil
}

// chooses has juliet run push-filters on a device.
func (d *drama) chooses(what string) error {
	d.t.Helper()
	what, name, ok := strings.Cut(what, " on all her devices, by ")
	fields, known := map[string][]string{
		"no romeo":     {"groups", "always", "mute", "romeo@" + d.server.Host()},
		"no groups":    {"groups", "never"},
		"no strangers": {"groups", "always", "known", "1"},
		"quiet":        {"groups", "always", "disturb", "1h"},
		"everything":   {"groups", "always", "disturb", "no", "unmute", "romeo@" + d.server.Host()},
	}[what]
	if !ok || !known {
		return fmt.Errorf("juliet does not want %q", what)
	}
	d.executes(d.device(name), "push-filters", append([]string{"device", "all"}, fields...)...)
	return nil
}
