package tigase

import (
	"context"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/component/forms"
	"rouse/component/p2"
)

// The commands' nodes.
const (
	register   = "register-device"
	unregister = "unregister-device"
)

// features are what an app may have its server do.
var features = []string{"tigase:push:encrypt:0", "tigase:push:encrypt:aes-128-gcm"}

// MaxPayload is how many bytes a server may encrypt for one push: in base64, and
// beside the account and a general text, they fit in the 4096 that Apple takes.
const MaxPayload = 2400

// Request is a device that wants to be woken, or no longer.
type Request struct {
	Account  string // bare JID: the app finds its account by it
	Provider string // what the client calls its app and provider, like tigase:messenger:apns:1
	Token    string
	Calls    string // a second token, for calls; may be empty
	Device   string // hash of account and token
}

// Registrar keeps devices. Unregister reports whether there was anything to end.
type Registrar interface {
	Register(ctx context.Context, r Request) (node string, err error)
	Unregister(ctx context.Context, r Request) (found bool, err error)
}

// Commands gives the commands for the providers that there is an app for.
func Commands(r Registrar, providers ...string) []adhoc.Command {
	if len(providers) == 0 {
		return nil
	}
	known := make(map[string]bool)
	for _, p := range providers {
		known[p] = true
	}
	return []adhoc.Command{{
		Node: register, Name: "Register a device",
		Ask: func() forms.Form { return ask("provider", "device-token", "device-second-token") },
		Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			q, err := request(from, known, f.Get("provider"), f.Get("device-token"))
			if err != nil {
				return forms.Form{}, err
			}
			if q.Calls = f.Get("device-second-token"); q.Calls != "" && !p2.Token(q.Calls) {
				return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field device-second-token is no token")
			}
			node, err := r.Register(ctx, q)
			return issued(node), err
		},
	}, {
		Node: unregister, Name: "Unregister a device",
		Ask: func() forms.Form { return ask("provider", "device-token") },
		Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			q, err := request(from, known, f.Get("provider"), f.Get("device-token"))
			if err != nil {
				return forms.Form{}, err
			}
			found, err := r.Unregister(ctx, q)
			if err == nil && !found {
				err = refusal(xmpp.Cancel, xmpp.ItemNotFound, "no such device is registered")
			}
			return forms.Form{}, err
		},
	}}
}

// request reads what all ways have in common.
func request(from jid.JID, known map[string]bool, provider, token string) (Request, error) {
	switch {
	case from.Localpart() == "":
		return Request{}, refusal(xmpp.Auth, xmpp.Forbidden, "only users have devices")
	case provider == "":
		return Request{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field provider is missing")
	case !known[provider]:
		return Request{}, refusal(xmpp.Cancel, xmpp.ItemNotFound, "there is no such provider here")
	case !p2.Token(token):
		return Request{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field device-token is missing or no token")
	}
	account := from.Bare().String()
	// Apple's tokens come in both cases, and mean the same.
	return Request{Account: account, Provider: provider, Token: token, Device: p2.Device(account, strings.ToLower(token))}, nil
}

func ask(fields ...string) forms.Form {
	f := forms.Form{Type: "form"}
	for _, name := range fields {
		f.Fields = append(f.Fields, forms.Field{Var: name, Type: "text-single"})
	}
	return f
}

func issued(node string) forms.Form {
	return forms.Form{Type: "result", Fields: []forms.Field{
		forms.Text("node", "text-single", node),
		{Var: "features", Type: "text-multi", Values: features},
		forms.Text("max-payload-size", "text-single", strconv.Itoa(MaxPayload)),
	}}
}

func refusal(t xmpp.ErrorType, c xmpp.Condition, text string) xmpp.Error {
	return xmpp.Error{Type: t, Condition: c, Text: map[string]string{"": text}}
}
