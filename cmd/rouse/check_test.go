package main

import (
	"testing"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
	"rouse/config"
)

// TestCheckCostsNoRegistration: a publish may reach check in place of a rouse
// that serves, and ejabberd deletes registrations for any error but wait.
func TestCheckCostsNoRegistration(t *testing.T) {
	server := componenttest.New(t, componenttest.Options{})
	c, err := config.Parse("rouse.toml", []byte("[component]\njid = \"push.example.org\"\nsecret = \""+componenttest.Secret+"\""))
	if err != nil {
		t.Fatal(err)
	}
	link, err := passingLink(c.Component, server.Address(), func(component.State) {})
	if err != nil {
		t.Fatal(err)
	}
	answer := server.Start(t, link).Ask(t, `<iq type='set' id='p1' from='example.net' to='push.example.org'>
		<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item>
		<notification xmlns='urn:xmpp:push:0'/></item></publish></pubsub></iq>`, "p1")
	if e := stanza.ErrorOf(&answer); e.Type != "wait" {
		t.Errorf("answered with %s %s", e.Type, e.Condition)
	}
}
