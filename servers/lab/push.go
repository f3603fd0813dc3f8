package lab

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
)

// Registration is what a push service's ad-hoc command gives to a client, and
// what the client tells its own server (XEP-0357 §5).
type Registration struct {
	Service string
	Node    string
	Secret  string
}

// Register runs register-push-fcm or register-push-apns (provider "fcm" or
// "apns") at a push service, with the fields that Conversations sends.
func (c *Client) Register(ctx context.Context, service, provider, token, device string) (Registration, error) {
	field := "device-id"
	if provider == "fcm" {
		field = "android-id"
	}
	s, err := c.ask(ctx, service, "set", fmt.Sprintf(`<command xmlns='http://jabber.org/protocol/commands' node='register-push-%s' action='execute'>`+
		`<x xmlns='jabber:x:data' type='submit'><field var='token'><value>%s</value></field><field var='%s'><value>%s</value></field></x></command>`,
		provider, escape(token), field, escape(device)))
	if err != nil {
		return Registration{}, err
	}
	var answer struct {
		Fields []struct {
			Var   string `xml:"var,attr"`
			Value string `xml:"value"`
		} `xml:"command>x>field"`
	}
	if err := xml.Unmarshal([]byte(s), &answer); err != nil {
		return Registration{}, err
	}
	var r Registration
	for _, f := range answer.Fields {
		switch f.Var {
		case "jid":
			r.Service = f.Value
		case "node":
			r.Node = f.Value
		case "secret":
			r.Secret = f.Value
		}
	}
	if r.Service == "" || r.Node == "" {
		return r, errors.New("lab: " + c.name + ": the service gave no jid or node: " + s)
	}
	return r, nil
}

// EnablePush tells the client's own server where to publish.
func (c *Client) EnablePush(ctx context.Context, r Registration) error {
	options := ""
	if r.Secret != "" {
		options = fmt.Sprintf(`<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>`+
			`<field var='secret'><value>%s</value></field></x>`, escape(r.Secret))
	}
	_, err := c.ask(ctx, "", "set", fmt.Sprintf(`<enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'>%s</enable>`, escape(r.Service), escape(r.Node), options))
	return err
}

// DisablePush is the reverse; without node it takes all of the service's.
func (c *Client) DisablePush(ctx context.Context, service, node string) error {
	attr := ""
	if node != "" {
		attr = " node='" + escape(node) + "'"
	}
	_, err := c.ask(ctx, "", "set", fmt.Sprintf(`<disable xmlns='urn:xmpp:push:0' jid='%s'%s/>`, escape(service), attr))
	return err
}
