package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// onStockEjabberd sets a scene on an ejabberd with mod_push and without mod_rouse.
func onStockEjabberd(t *testing.T, o lab.EjabberdOptions) *play {
	t.Helper()
	o.NoModule, o.Users, o.Host = true, cast, "example.test"
	return prepareOn(t, func(ctx context.Context, dir string, program, env []string) (*scene, error) {
		s, err := theatre.alone(ctx, dir, o)
		if err != nil {
			return nil, err
		}
		return newSceneOn(s, dir, program, env)
	})
}

// conversations registers by p2 and enables, as that client does after each login.
func (p *play) conversations(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.must(c.EnablePush(p.ctx, p.register("fcm", c, name, name)))
	return c
}

// mongoose enables with options that name the device, and registers nowhere.
func (p *play) mongoose(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.nodes[name] = lab.Registration{Node: "node of " + name}
	p.enables(c, p.nodes[name].Node, "service", "apns", "device_id", pushtest.APNsToken(name), "topic", sceneTopic)
	return c
}

func (p *play) browser(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.must(c.EnablePush(p.ctx, p.register("webpush", c, name, name)))
	return c
}

// TestFamiliesOnAStockEjabberd: whose client registered how does not matter to a
// server with mod_push alone. It publishes for every stanza; what comes together
// is one wake.
func TestFamiliesOnAStockEjabberd(t *testing.T) {
	p := onStockEjabberd(t, lab.EjabberdOptions{})
	p.rules = `coalesce = "40s"` // longer than the burst takes
	p.must(p.configure())
	p.knowsFamilies()
	p.begins()
	all := map[string]func(string) *lab.Client{"conversations": p.conversations, "appserver": p.appserverDevice, "siskin": p.siskin,
		"monal": p.monal, "mongoose": p.mongoose, "browser": p.browser}
	var names []string
	var clients []*lab.Client
	for name, begins := range all {
		names, clients = append(names, name), append(clients, begins(name))
	}
	for _, c := range clients {
		p.must(c.Drop(p.ctx))
	}
	p.sends(lab.Chat(juliet, "m0", "body of m0"))
	p.were(names...)
	if got := p.payload("siskin"); got["account"] != juliet {
		t.Errorf("Siskin finds %v", got)
	}
	if got := p.payload("appserver")["account"]; got != p2.Device(juliet, "device-appserver") {
		t.Errorf("mod_push_appserver's client finds account %v", got)
	}
	for _, name := range []string{"monal", "mongoose"} {
		if got := fmt.Sprint(p.payload(name)); !strings.Contains(got, "alert") || strings.Contains(got, "body of m0") || strings.Contains(got, "romeo") {
			t.Errorf("%s finds %v", name, got)
		}
	}

	const burst = 10
	for i := range burst {
		p.sends(lab.Chat(juliet, fmt.Sprint("b", i), "body of the burst"))
	}
	p.must(p.await(p.ctx, "a publish for each stanza and device", func() bool {
		d := p.decisions()
		return d["p wake"]+d["p merged"] >= (burst+1)*len(names)
	}))
	p.were(slices.Concat(names, names)...)
	if d := p.decisions(); d["p wake"] != 2*len(names) {
		t.Errorf("%d wakes for m0 and a burst of %d, on %d devices: %v", d["p wake"], burst, len(names), p.told())
	}
	p.noSecrets("body of m0", "body of the burst", pushtest.APNsToken("monal"), pushtest.APNsToken("mongoose"), p.nodes["appserver"].Secret)
}

// missesOne: rouse is killed, and then something comes for a phone that sleeps.
func (p *play) missesOne() *lab.Client {
	p.t.Helper()
	phone := p.conversations("phone")
	p.must(phone.CatchUp(p.ctx)) // else ejabberd publishes for what it has not acknowledged
	p.must(phone.Drop(p.ctx))
	p.sends(lab.Chat(juliet, "m1", "body of m1"))
	p.were("phone")

	p.kills()
	p.absent()
	p.sends(lab.Chat(juliet, "m2", "body of m2"))
	return phone
}

// TestStockEjabberdForgets: while rouse is away ejabberd answers for it, and what
// it answers is the end of the registration. The client brings it back.
func TestStockEjabberdForgets(t *testing.T) {
	p := onStockEjabberd(t, lab.EjabberdOptions{}).begins()
	phone := p.missesOne()
	p.refused("cancel")
	p.starts()
	p.present()
	p.sends(lab.Chat(juliet, "m3", "body of m3"))
	p.sends(lab.Chat(juliet, "m4", "body of m4"))

	// The next login is told of m2 to m4 by the archive, and enables again.
	_, err := phone.Login(p.ctx)
	p.must(err)
	p.must(phone.Bye(p.ctx))
	again := p.conversations("phone")
	p.must(again.CatchUp(p.ctx))
	p.must(again.Drop(p.ctx))
	p.sends(lab.Chat(juliet, "m5", "body of m5"))
	p.were("phone", "phone")
	if d := p.decisions(); d["p wake"] != 1 {
		t.Errorf("decided since rouse is back: %v", p.told())
	}
}

// TestStockEjabberdKeeps: where the component's name leads to a machine that takes
// no connection, ejabberd answers wait for it, and keeps the registration. The
// name localhost is as good as one in /etc/hosts.
func TestStockEjabberdKeeps(t *testing.T) {
	p := onStockEjabberd(t, lab.EjabberdOptions{S2S: true, Rouse: lab.Component{JID: "localhost"}}).begins()
	p.missesOne()
	p.refused("wait")
	p.starts()
	p.present()
	p.sends(lab.Chat(juliet, "m3", "body of m3"))
	p.were("phone", "phone")
}

// present waits until the server has rouse's component again.
func (p *play) present() {
	p.t.Helper()
	p.must(p.await(p.ctx, "rouse to be back", func() bool {
		answer, err := p.romeo.IQ(p.ctx, p.server.Rouse().JID, "get", "<ping xmlns='urn:xmpp:ping'/>")
		return err == nil && !strings.Contains(answer, "<error")
	}))
}
