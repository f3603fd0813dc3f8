package subscription

import (
	"context"
	"errors"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/component/forms"
	"rouse/component/p2"
)

// Node is the command's.
const Node = "register-push-webpush"

// maxDevice bounds the device id, in bytes.
const maxDevice = 1024

// Request is a device that wants to be woken. The subscription is as the app
// gave it: whoever sends has to look at it.
type Request struct {
	Account  string // bare JID
	Device   string // see p2.Device
	Endpoint string
	P256DH   string
	Auth     string
}

// Registrar keeps devices. The same device gets the same node and secret again.
type Registrar interface {
	// Key is the public VAPID key that apps have to subscribe with.
	Key() string

	// Subscribe keeps one. What is wrong with the subscription is an Unusable.
	Subscribe(ctx context.Context, r Request) (node, secret string, err error)
}

// Unusable says what is wrong with a subscription, in words for the app's makers.
type Unusable struct{ Why string }

func (u Unusable) Error() string { return u.Why }

// Command gives the command. service is our own JID.
func Command(r Registrar, service string) adhoc.Command {
	return adhoc.Command{
		Node: Node, Name: "Register a device for push by Web Push",
		Ask: func() forms.Form { return blank(r.Key()) },
		Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			return register(ctx, r, service, from, f)
		},
	}
}

// blank is the form to fill in. A hidden field comes back as it was given
// (XEP-0004 §3.3).
func blank(key string) forms.Form {
	f := forms.Form{Type: "form", Fields: []forms.Field{forms.Text("vapid", "hidden", key)}}
	for _, name := range []string{"endpoint", "p256dh", "auth", "device-id"} {
		f.Fields = append(f.Fields, forms.Field{Var: name, Type: "text-single"})
	}
	return f
}

func register(ctx context.Context, r Registrar, service string, from jid.JID, f forms.Form) (forms.Form, error) {
	id, key := f.Get("device-id"), f.Get("vapid")
	switch {
	case from.Localpart() == "":
		return forms.Form{}, refusal(xmpp.Auth, xmpp.Forbidden, "only users have devices")
	case id == "" || len(id) > maxDevice:
		return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field device-id is missing or too long")
	case key != "" && key != r.Key():
		return forms.Form{}, refusal(xmpp.Modify, xmpp.NotAcceptable, "the subscription was made with another VAPID key; subscribe with "+r.Key())
	}
	account := from.Bare().String()
	node, secret, err := r.Subscribe(ctx, Request{
		Account: account, Device: p2.Device(account, id),
		Endpoint: f.Get("endpoint"), P256DH: f.Get("p256dh"), Auth: f.Get("auth"),
	})
	var unusable Unusable
	switch {
	case errors.As(err, &unusable):
		return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, unusable.Why)
	case err != nil:
		return forms.Form{}, err
	}
	return p2.Issued(service, node, secret), nil
}

func refusal(t xmpp.ErrorType, c xmpp.Condition, text string) xmpp.Error {
	return xmpp.Error{Type: t, Condition: c, Text: map[string]string{"": text}}
}
