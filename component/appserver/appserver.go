package appserver

import (
	"context"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/component/forms"
	"rouse/component/p2"
)

const maxNode = 1024 // bytes

// Request is a device that wants to be woken, or no longer.
type Request struct {
	Account  string // bare JID
	Provider string // p2.FCM or p2.APNs
	Node     string // what the client calls the device, for ever
	Token    string // empty to unregister
	Device   string // hash of account and node
}

// Registrar keeps devices. The same node gets the same secret again; one that is
// another account's is refused. Unregister reports whether there was anything to end.
type Registrar interface {
	Register(ctx context.Context, r Request) (secret string, err error)
	Unregister(ctx context.Context, r Request) (found bool, err error)
}

// Commands gives the commands for the providers that there is an app for.
// service is our own JID.
func Commands(r Registrar, service string, providers ...string) []adhoc.Command {
	if len(providers) == 0 {
		return nil
	}
	return []adhoc.Command{{
		Node: "v1-register-push", Name: "Register a device of mod_push_appserver's clients",
		Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			q, err := request(from, f, providers)
			if err != nil {
				return forms.Form{}, err
			}
			if q.Token = f.Get("token"); !p2.Token(q.Token) {
				return forms.Form{}, refusal(xmpp.Modify, xmpp.NotAcceptable, "the field token is missing or no token")
			}
			secret, err := r.Register(ctx, q)
			if err != nil {
				return forms.Form{}, err
			}
			return result(service, q.Node, forms.Text("secret", "text-single", secret)), nil
		},
	}, {
		Node: "v1-unregister-push", Name: "Unregister a device of mod_push_appserver's clients",
		Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			q, err := request(from, f, providers)
			if err != nil {
				return forms.Form{}, err
			}
			found, err := r.Unregister(ctx, q)
			switch {
			case err != nil:
				return forms.Form{}, err
			case !found:
				return forms.Form{}, refusal(xmpp.Cancel, xmpp.ItemNotFound, "no such device is registered")
			}
			return result(service, q.Node), nil
		},
	}}
}

func request(from jid.JID, f forms.Form, providers []string) (Request, error) {
	provider, node := strings.ToLower(f.Get("type")), f.Get("node")
	switch {
	case from.Localpart() == "":
		return Request{}, refusal(xmpp.Auth, xmpp.Forbidden, "only users have devices")
	case !slices.Contains(providers, provider):
		return Request{}, refusal(xmpp.Modify, xmpp.NotAcceptable, "the field type is not one of "+strings.Join(providers, ", "))
	case node == "" || len(node) > maxNode:
		return Request{}, refusal(xmpp.Modify, xmpp.NotAcceptable, "the field node is missing or too long")
	}
	account := from.Bare().String()
	return Request{Account: account, Provider: provider, Node: node, Device: p2.Device(account, node)}, nil
}

func result(service, node string, more ...forms.Field) forms.Form {
	return forms.Form{Type: "result", Fields: append([]forms.Field{
		forms.Text("jid", "jid-single", service), forms.Text("node", "text-single", node),
	}, more...)}
}

func refusal(t xmpp.ErrorType, c xmpp.Condition, text string) xmpp.Error {
	return xmpp.Error{Type: t, Condition: c, Text: map[string]string{"": text}}
}
