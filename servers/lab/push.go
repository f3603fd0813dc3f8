package lab

import (
	"context"
	"encoding/xml"
	"fmt"
)

// Registration is what a push service's ad-hoc command gives to a client, and
// what the client tells its own server (XEP-0357 §5).
type Registration struct {
	Service string
	Node    string
	Secret  string
	Besides string // XML: what the client says in <enable/> besides
}

// Register runs register-push-fcm or register-push-apns (provider "fcm" or
// "apns") at a push service, with the fields that Conversations sends.
func (c *Client) Register(ctx context.Context, service, provider, token, device string) (Registration, error) {
	name := "device-id"
	if provider == "fcm" {
		name = "android-id"
	}
	fields, err := c.execute(ctx, service, "register-push-"+provider, "", field{"token", token}, field{name, device})
	return c.issued(fields, err)
}

// Subscription is what a push service gives to a browser (W3C Push API).
type Subscription struct{ Endpoint, P256DH, Auth string }

// Subscribe runs register-push-webpush as a browser does: it asks for the form,
// subscribes with the key that is in it, and sends the form back.
func (c *Client) Subscribe(ctx context.Context, service, device string, subscribe func(vapid string) Subscription) (Registration, error) {
	const node = "register-push-webpush"
	form, err := c.execute(ctx, service, node, "")
	if err != nil {
		return Registration{}, err
	}
	s := subscribe(form["vapid"])
	fields, err := c.execute(ctx, service, node, form[""], field{"vapid", form["vapid"]},
		field{"endpoint", s.Endpoint}, field{"p256dh", s.P256DH}, field{"auth", s.Auth}, field{"device-id", device})
	return c.issued(fields, err)
}

type field struct{ name, value string }

// execute runs a stage of an ad-hoc command (XEP-0050), the first where session
// is empty, and gives the fields of the answer, with the id of the session as "".
func (c *Client) execute(ctx context.Context, service, node, session string, fields ...field) (map[string]string, error) {
	attr, form := "action='execute'", ""
	if session != "" {
		attr = fmt.Sprintf("action='complete' sessionid='%s'", escape(session))
	}
	for _, f := range fields {
		form += fmt.Sprintf("<field var='%s'><value>%s</value></field>", f.name, escape(f.value))
	}
	if form != "" {
		form = "<x xmlns='jabber:x:data' type='submit'>" + form + "</x>"
	}
	s, err := c.ask(ctx, service, "set", fmt.Sprintf("<command xmlns='http://jabber.org/protocol/commands' node='%s' %s>%s</command>", node, attr, form))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Command struct {
			Session string `xml:"sessionid,attr"`
			Fields  []struct {
				Var   string `xml:"var,attr"`
				Value string `xml:"value"`
			} `xml:"x>field"`
		} `xml:"command"`
	}
	if err := xml.Unmarshal([]byte(s), &answer); err != nil {
		return nil, err
	}
	values := map[string]string{"": answer.Command.Session}
	for _, f := range answer.Command.Fields {
		values[f.Var] = f.Value
	}
	return values, nil
}

// issued is what a push service gave in the end.
func (c *Client) issued(fields map[string]string, err error) (Registration, error) {
	r := Registration{Service: fields["jid"], Node: fields["node"], Secret: fields["secret"]}
	if err == nil && (r.Service == "" || r.Node == "") {
		err = fmt.Errorf("lab: %s: the service gave no jid or node: %v", c.name, fields)
	}
	return r, err
}

// EnablePush tells the client's own server where to publish.
func (c *Client) EnablePush(ctx context.Context, r Registration) error {
	options := ""
	if r.Secret != "" {
		options = fmt.Sprintf(`<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>`+
			`<field var='secret'><value>%s</value></field></x>`, escape(r.Secret))
	}
	_, err := c.ask(ctx, "", "set", fmt.Sprintf(`<enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'>%s%s</enable>`, escape(r.Service), escape(r.Node), options, r.Besides))
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
