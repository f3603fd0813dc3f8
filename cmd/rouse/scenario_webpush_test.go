package main

import (
	"os"
	"strings"
	"testing"

	"rouse/component/p2"
	"rouse/component/subscription"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestABrowserIsToldWhatItNeeds: it can read for which account it is and how much
// there is, and nobody else learns anything, the log included.
func TestABrowserIsToldWhatItNeeds(t *testing.T) {
	p := begin(t, lab.Options{})
	browser := p.deviceOf("webpush", "browser")
	p.sleeps(browser)
	p.chat("m1")
	p.wants("browser")
	w := p.last()
	if want := `{"account":"` + p2.Device(juliet, "browser") + `","count":1}`; string(w.Payload) != want {
		t.Errorf("the browser reads %s, want %s", w.Payload, want)
	}
	parts := strings.Fields(w.Token)
	p.noSecrets("body of m1", parts[0][strings.Index(parts[0], "/push/"):], parts[1], parts[2], p.nodes["browser"].Secret, p.nodes["browser"].Node)
}

// TestSubscriptionsThatWillNotDo are refused when they are made, with words that
// help; nothing is dialled for them.
func TestSubscriptionsThatWillNotDo(t *testing.T) {
	p := begin(t, lab.Options{})
	c := p.client("juliet", "browser", lab.ClientOptions{})
	good := strings.Fields(p.webpush.Subscribe("browser", ""))
	for name, tt := range map[string]struct {
		change func(*lab.Subscription)
		want   string
	}{
		"plain http":          {func(s *lab.Subscription) { s.Endpoint = strings.Replace(s.Endpoint, "https", "http", 1) }, "the endpoint is not of https"},
		"the cloud's data":    {func(s *lab.Subscription) { s.Endpoint = "https://169.254.169.254/latest/meta-data" }, "the endpoint is not on the public Internet"},
		"a key of no curve":   {func(s *lab.Subscription) { s.P256DH = "B" + strings.Repeat("A", 86) }, "p256dh is not a point of P-256"},
		"no secret":           {func(s *lab.Subscription) { s.Auth = "" }, "auth is not 16 bytes"},
		"two of them":         {func(s *lab.Subscription) { s.Endpoint += " " + s.Endpoint }, "not an endpoint, p256dh and auth"},
		"longer than can be":  {func(s *lab.Subscription) { s.Endpoint += strings.Repeat("a", 4096) }, "longer than any subscription"},
		"a user in the name":  {func(s *lab.Subscription) { s.Endpoint = "https://a:b@push.example.net/" }, "the endpoint has a user or a fragment"},
		"a number for a name": {func(s *lab.Subscription) { s.Endpoint = "https://2130706433/" }, "no host and port that could be connected to"},
	} {
		_, err := c.Subscribe(p.ctx, p.server.Rouse().JID, "browser", func(string) lab.Subscription {
			s := lab.Subscription{Endpoint: good[0], P256DH: good[1], Auth: good[2]}
			tt.change(&s)
			return s
		})
		if err == nil || !strings.Contains(err.Error(), "bad-request") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want bad-request and %q", name, err, tt.want)
		}
	}
	if n := len(p.webpush.Received()); n != 0 {
		t.Errorf("the push service was asked %d times", n)
	}
}

// TestPrivatePushServicesAreNotConnectedTo: a name is judged by the address that
// is dialled, at the moment of dialling; the wake is given up, the rest goes on.
func TestPrivatePushServicesAreNotConnectedTo(t *testing.T) {
	p := prepare(t, lab.Options{})
	text, err := os.ReadFile(p.config())
	p.must(err)
	p.must(os.WriteFile(p.config(), []byte(strings.Replace(string(text), "allow_private  = true\n", "", 1)), 0o600))
	p.must(p.start(p.ctx))
	p.romeo = p.client("romeo", "desk", lab.ClientOptions{})

	browser := p.client("juliet", "browser", lab.ClientOptions{})
	r, err := browser.Subscribe(p.ctx, p.server.Rouse().JID, "browser", func(vapid string) lab.Subscription {
		s := strings.Fields(strings.Replace(p.webpush.Subscribe("browser", vapid), "127.0.0.1", "localhost", 1))
		return lab.Subscription{Endpoint: s[0], P256DH: s[1], Auth: s[2]}
	})
	p.must(err)
	p.must(browser.EnablePush(p.ctx, r))
	p.saw("enable", 1)
	phone := p.device("phone")
	p.sleeps(browser)
	p.sleeps(phone)
	p.chat("m1")
	p.were("phone")
	p.must(p.await(p.ctx, "the end of the browser's wake", func() bool { return p.decisions()["a3 gave-up"] == 1 }))
	p.wakesUp(browser)
	p.sleeps(browser)
	p.chat("m2")
	p.must(p.await(p.ctx, "the end of another wake", func() bool { return p.decisions()["a3 gave-up"] == 2 }))
	if n := len(p.webpush.Received()); n != 0 {
		t.Errorf("the push service was asked %d times", n)
	}
	if n := p.logged("level=ERROR"); n != 0 {
		t.Errorf("%d errors in the log for what a user registered", n)
	}
	if p.logged("level=WARN msg=\"a device cannot be woken") != 1 {
		t.Error("the log was to say it once")
	}
	if p.logged(`reason="not a public address"`) == 0 || p.logged("allow_private = true") == 0 {
		t.Error("the log does not say why, or not what can be done")
	}
}

// TestAKeyThatIsNotOurs: who subscribed with another key is told so before it
// costs a wake.
func TestAKeyThatIsNotOurs(t *testing.T) {
	p := begin(t, lab.Options{})
	_, other, err := pushtest.VAPIDKey()
	p.must(err)
	s := strings.Fields(p.webpush.Subscribe("browser", other))
	c := p.client("juliet", "browser", lab.ClientOptions{})
	answer, err := c.IQ(p.ctx, p.server.Rouse().JID, "set", `<command xmlns='http://jabber.org/protocol/commands' node='`+subscription.Node+`' action='execute'>`+
		`<x xmlns='jabber:x:data' type='submit'><field var='vapid'><value>`+other+`</value></field><field var='endpoint'><value>`+s[0]+`</value></field>`+
		`<field var='p256dh'><value>`+s[1]+`</value></field><field var='auth'><value>`+s[2]+`</value></field><field var='device-id'><value>d</value></field></x></command>`)
	p.must(err)
	if !strings.Contains(answer, "not-acceptable") || !strings.Contains(answer, "another VAPID key") {
		t.Errorf("answered %s", answer)
	}
}
