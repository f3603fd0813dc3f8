package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/events"
	"rouse/component/stanza"
	"rouse/push/pushtest"
	"rouse/servers/lab"
	"rouse/session"
)

const (
	batchXML   = `<events xmlns='rouse:events:0' epoch='%d' seq='1'>%s</events>`
	publishXML = `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='%s'><item><notification xmlns='urn:xmpp:push:0'/></item></publish>` +
		`<publish-options><x xmlns='jabber:x:data' type='submit'><field var='secret'><value>%s</value></field></x></publish-options></pubsub>`
)

// element reads an element, for stanzas that are put together.
func element(t *testing.T, raw string) stanza.Element {
	t.Helper()
	r := stanza.NewReader(io.MultiReader(strings.NewReader("<stream:stream xmlns='jabber:client' xmlns:stream='"+stanza.NSStream+"'>"), strings.NewReader(raw)),
		stanza.Limits{Bytes: 64 << 20})
	if _, err := r.ReadHeader(); err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestJunk: strangers send what they like, through a real server. Each request
// gets an error, the stream lives, and nothing is decided.
func TestJunk(t *testing.T) {
	other := lab.Component{JID: "other.test", Secret: "other"}
	both(t, wish{alone: true, components: []lab.Component{other}, stray: "stray.test"}, func(t *testing.T, p *play) {
		us := p.server.Rouse().JID
		stranger := p.another(other, 32<<20)
		p.connects(stranger)
		phone := p.device("phone")
		p.sleeps(phone)
		p.settle()
		before := p.decisions()

		juliets := p.nodes["phone"]
		theirs := register(t, p, stranger, us) // anybody's server may have its users registered
		flood := strings.Repeat("x", 10<<20)
		for _, c := range []struct{ name, iq, want string }{
			{"two payloads", `<iq type='get' to='%s'><a xmlns='a'/><b xmlns='b'/></iq>`, "modify bad-request"},
			{"an unknown payload", `<iq type='get' to='%s'><query xmlns='urn:example:junk'/></iq>`, "cancel service-unavailable"},
			{"a known payload, but got", `<iq type='get' to='%s'>` + fmt.Sprintf(batchXML, 1, "") + `</iq>`, "cancel service-unavailable"},
			{"no publish", `<iq type='set' to='%s'><pubsub xmlns='http://jabber.org/protocol/pubsub'/></iq>`, "cancel feature-not-implemented"},
			{"10 MB of text", `<iq type='set' to='%s'><pubsub xmlns='http://jabber.org/protocol/pubsub'>` + flood + `</pubsub></iq>`, "wait policy-violation"},
			{"a node of nobody", `<iq type='set' to='%s'>` + fmt.Sprintf(publishXML, "no-such-node", "s") + `</iq>`, "cancel item-not-found"},
			{"a node of another domain, with its secret", `<iq type='set' to='%s'>` + fmt.Sprintf(publishXML, juliets.Node, juliets.Secret) + `</iq>`, "auth forbidden"},
			{"their own node, with a wrong secret", `<iq type='set' to='%s'>` + fmt.Sprintf(publishXML, theirs.Node, juliets.Secret) + `</iq>`, "auth forbidden"},
			{"their own node, with no secret", `<iq type='set' to='%s'>` + fmt.Sprintf(publishXML, theirs.Node, "") + `</iq>`, "auth forbidden"},
			{"their own node, by a user", `<iq type='set' from='nurse@other.test/x' to='%s'>` + fmt.Sprintf(publishXML, theirs.Node, theirs.Secret) + `</iq>`, "auth forbidden"},
			{"events of a component", `<iq type='set' to='%s'>` + fmt.Sprintf(batchXML, 1, "<deleted user='juliet' n='1'/>") + `</iq>`, "auth forbidden"},
		} {
			_, err := stranger.Request(p.ctx, element(t, fmt.Sprintf(c.iq, us)))
			var refused xmpp.Error
			if got := ""; !errors.As(err, &refused) {
				t.Errorf("%s: answered with %v", c.name, err)
			} else if got = string(refused.Type) + " " + string(refused.Condition); got != c.want {
				t.Errorf("%s: answered %q, want %q", c.name, got, c.want)
			}
		}

		// Events of a user of the host itself, and of a host that was not configured.
		answer, err := p.romeo.IQ(p.ctx, us, "set", fmt.Sprintf(batchXML, 1, "<deleted user='juliet' n='1'/>"))
		p.must(err)
		if !strings.Contains(answer, "forbidden") {
			t.Errorf("a user's events were answered %s", answer)
		}
		p.serverLogs("rouse refuses events from stray.test (forbidden)")

		// Answers to nothing, and stanzas that mean nothing.
		for _, raw := range []string{
			`<iq type='result' id='1' to='%s'/>`,
			`<iq type='error' id='1' to='%s'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
			`<message to='%s' type='chat'><body>hello?</body></message>`,
			`<message to='nobody@%s' type='error'/>`,
			`<presence to='%s'/>`,
			`<presence to='%s' type='subscribe'/>`,
			`<message to='%s'><body>` + flood[:1<<20] + `</body></message>`,
		} {
			p.must(stranger.Send(p.ctx, element(t, fmt.Sprintf(raw, us))))
		}
		_, err = stranger.Request(p.ctx, element(t, `<iq type='get' to='`+us+`'><ping xmlns='urn:xmpp:ping'/></iq>`))
		p.must(err)

		p.settle()
		after := p.decisions()
		delete(before, "none quiet")
		delete(after, "none quiet") // romeo's own CSI
		if !maps.Equal(before, after) {
			t.Errorf("decided: %v, and before %v", after, before)
		}
		if up, now := p.logged(`msg="link is up"`), p.gauge("rouse_component_connected"); up != 1 || now != "1" {
			t.Errorf("the link came up %d times and is now %s", up, now)
		}
		p.noSecrets(juliets.Secret, theirs.Secret)

		// The ordinary goes on: for juliet, and for the stranger with what is his.
		p.chat("m1")
		p.were("phone")
		p.nodes["stranger's"] = theirs
		_, err = stranger.Request(p.ctx, element(t, `<iq type='set' to='`+us+`'>`+fmt.Sprintf(publishXML, theirs.Node, theirs.Secret)+`</iq>`))
		p.must(err)
		p.wants("phone", "stranger's")
	})
}

const registerXML = `<iq type='set' id='r' from='%s' to='%s'><command xmlns='http://jabber.org/protocol/commands' node='register-push-fcm' action='execute'>` +
	`<x xmlns='jabber:x:data' type='submit'><field var='token'><value>%s</value></field><field var='android-id'><value>d</value></field></x></command></iq>`

// register has a user of a component's domain register a device.
func register(t *testing.T, p *play, c *component.Component, service string) lab.Registration {
	t.Helper()
	e, err := c.Request(p.ctx, element(t, fmt.Sprintf(registerXML, "nurse@other.test/x", service, pushtest.FCMToken("stranger's"))))
	p.must(err)
	r := registration(t, e)
	r.Service = service
	return r
}

// TestJunkFromTheServer: what no Prosody would pass on, or only one whose module
// is broken. A stand-in takes the server's place.
func TestJunkFromTheServer(t *testing.T) {
	p, link := besideAStandIn(t)
	batch := func(from string, epoch int, inside string) string {
		return `<iq type='set' id='b' from='` + from + `' to='` + link.Host + `'>` + fmt.Sprintf(batchXML, epoch, inside) + `</iq>`
	}
	const host = "example.test"

	// The first thing is a request of ours. Nobody but who was asked can answer it.
	asked := link.Next(t)
	if asked.Children[0].Name != "picture" {
		t.Fatalf("rouse began with %+v", asked)
	}
	for _, from := range []string{"other.test", "juliet@" + host, "sub." + host, link.Host} {
		link.Send(`<iq type='error' id='` + asked.Get("id") + `' from='` + from + `' to='` + link.Host + `'><error type='cancel'>` +
			`<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`)
	}
	link.Alive(t)
	link.Send(`<iq type='result' id='` + asked.Get("id") + `' from='` + host + `' to='` + link.Host + `'/>`)

	for _, c := range []struct{ name, iq, want string }{
		{"no payload", `<iq type='set' id='b' from='` + host + `' to='` + link.Host + `'/>`, "modify bad-request"}, // Prosody passes on none
		{"no epoch", `<iq type='set' id='b' from='` + host + `' to='` + link.Host + `'><events xmlns='rouse:events:0' seq='1'/></iq>`, "modify bad-request"},
		{"an epoch that is no number", `<iq type='set' id='b' from='` + host + `' to='` + link.Host + `'><events xmlns='rouse:events:0' epoch='now' seq='1'/></iq>`, "modify bad-request"},
		{"no user", batch(host, 1, "<bind sid='s' n='1' resource='phone'/>"), "modify bad-request"},
		{"a user that is none", batch(host, 1, "<bind user='a@b' sid='s' n='1'/>"), "modify bad-request"},
		{"no session", batch(host, 1, "<hibernated user='juliet' n='1'/>"), "modify bad-request"},
		{"a counter below zero", batch(host, 1, "<hibernated user='juliet' sid='s' n='-1'/>"), "modify bad-request"},
		{"an unknown class", batch(host, 1, "<archived user='juliet' n='1' class='urgent'/>"), "modify bad-request"},
		{"an unknown state", batch(host, 1, "<session user='juliet' sid='s' n='1' state='dreaming'/>"), "modify bad-request"},
		{"one good event and one bad", batch(host, 1, "<bind user='juliet' sid='s' n='1'/><enable user='juliet' sid='s' n='2'/>"), "modify bad-request"},
		{"too many events", batch(host, 1, strings.Repeat("<bind user='juliet' sid='s' n='1'/>", events.MaxEvents+1)), "modify bad-request"},
		{"10 MB", batch(host, 1, "<bind user='juliet' sid='"+strings.Repeat("s", 10<<20)+"' n='1'/>"), "wait policy-violation"},
		{"another host", batch("other.test", 1, ""), "auth forbidden"},
		{"a host below", batch("sub."+host, 1, ""), "auth forbidden"},
		{"a user of the host", batch("juliet@"+host, 1, ""), "auth forbidden"},
		{"the host with a resource", batch(host+"/x", 1, ""), "auth forbidden"},
		{"ourselves", batch("x@"+link.Host, 1, ""), "auth forbidden"},
	} {
		if got := verdict(link.Ask(t, c.iq, "b")); got != c.want {
			t.Errorf("%s: answered %q, want %q", c.name, got, c.want)
		}
	}
	link.Alive(t)
	if d := p.decisions(); len(d) != 0 {
		t.Errorf("decided: %v", d)
	}

	// The ordinary goes on.
	node, secret := pushed(t, link)
	good := batch(host, 2, "<bind user='juliet' sid='s' n='1' resource='phone'/>"+
		"<enable user='juliet' sid='s' n='2' service='"+link.Host+"' node='"+node+"' secret='"+secret+"' resource='phone'/>"+
		"<hibernated user='juliet' sid='s' n='3' out='1' acked='1'/><queued user='juliet' sid='s' n='4' out='2' class='message' key='i:m1'/>")
	for range 2 { // the second time it is a repeat
		if got := verdict(link.Ask(t, good, "b")); got != "" {
			t.Fatalf("a batch was answered %q", got)
		}
	}
	p.nodes["phone"] = lab.Registration{}
	p.were("phone")
	if d := p.decisions(); d["a3 wake"] != 1 {
		t.Errorf("decided: %v", d)
	}
	p.must(p.await(p.ctx, "the wake's end", func() bool { return p.decisions()["a3 sent"] == 1 }))
	if n := p.logged(`msg="link is up"`); n != 1 {
		t.Errorf("the link came up %d times", n)
	}
	if p.logged("did not take our request for the picture") != 0 {
		t.Error("a forged answer was taken")
	}
}

// verdict gives type and condition of an error, "" for a result.
func verdict(e stanza.Element) string {
	if e.Get("type") == "result" {
		return ""
	}
	err := stanza.ErrorOf(&e)
	return string(err.Type) + " " + string(err.Condition)
}

// pushed registers juliet's phone and gives its node and the fingerprint that
// her server reports of its secret.
func pushed(t *testing.T, link *componenttest.Link) (node, fingerprint string) {
	t.Helper()
	r := registration(t, link.Ask(t, fmt.Sprintf(registerXML, juliet+"/phone", link.Host, pushtest.FCMToken("phone")), "r"))
	return r.Node, session.Fingerprint(r.Secret)
}

// registration reads the answer of a registration command.
func registration(t *testing.T, iq stanza.Element) (r lab.Registration) {
	t.Helper()
	command := iq.Child("http://jabber.org/protocol/commands", "command")
	if command == nil {
		t.Fatalf("registration was answered %+v", iq)
	}
	form := command.Child("jabber:x:data", "x")
	for i := range form.Children {
		switch f := &form.Children[i]; f.Get("var") {
		case "node":
			r.Node = f.ChildText("jabber:x:data", "value")
		case "secret":
			r.Secret = f.ChildText("jabber:x:data", "value")
		}
	}
	return r
}

// besideAStandIn starts rouse, with a stand-in in the place of Prosody.
func besideAStandIn(t *testing.T) (*play, *componenttest.Link) {
	t.Helper()
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	server := componenttest.New(t, componenttest.Options{})
	s := &scene{dir: t.TempDir(), program: []string{self}, env: []string{asRouse + "=1"}}
	t.Cleanup(func() {
		cancel()
		if err := s.close(); err != nil {
			t.Errorf("at the end: %v", err)
		}
		if t.Failed() {
			t.Logf("rouse:\n%s", s.logTail(80))
		}
	})
	p := &play{scene: s, t: t, ctx: ctx, nodes: map[string]lab.Registration{}, names: map[string]string{}}
	s.fcm, err = pushtest.NewFCM(pushtest.FCMOptions{})
	p.must(err)
	s.apns, err = pushtest.NewAPNs(pushtest.APNsOptions{})
	p.must(err)
	s.webpush, err = pushtest.NewWebPush(pushtest.WebPushOptions{})
	p.must(err)
	s.vapid, _, err = pushtest.VAPIDKey()
	p.must(err)
	p.must(s.configureFor(server.Address(), "push.example.test", componenttest.Secret, "example.test"))
	p.starts()
	return p, server.Accept(t)
}
