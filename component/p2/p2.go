package p2

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/component/forms"
)

// The providers whose commands there are.
const (
	FCM  = "fcm"
	APNs = "apns"
)

// Limits of what is taken from a client, in bytes. Tokens of both providers stay
// below 4 KiB by their makers' word.
const (
	maxToken  = 4096
	maxDevice = 1024
)

// Request is a device that wants to be woken.
type Request struct {
	Account  string // bare JID
	Provider string // FCM or APNs
	Token    string // the provider's name for the device
	Device   string // see Device
}

// Registrar keeps devices. The same device gets the same node and secret again.
type Registrar interface {
	Register(ctx context.Context, r Request) (node, secret string, err error)
}

// Commands gives the commands for the providers that there is an app for.
// service is our own JID.
func Commands(r Registrar, service string, providers ...string) []adhoc.Command {
	var list []adhoc.Command
	for _, p := range providers {
		list = append(list, adhoc.Command{
			Node: "register-push-" + p,
			Name: "Register a device for push by " + strings.ToUpper(p),
			Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
				return register(ctx, r, service, p, from, f)
			},
		})
	}
	return list
}

func register(ctx context.Context, r Registrar, service, provider string, from jid.JID, f forms.Form) (forms.Form, error) {
	id := f.Get("device-id")
	if id == "" {
		id = f.Get("android-id")
	}
	token := f.Get("token")
	switch {
	case from.Localpart() == "":
		return forms.Form{}, refusal(xmpp.Auth, xmpp.Forbidden, "only users have devices")
	case token == "" || len(token) > maxToken || !printable(token):
		return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field token is missing or no token")
	case id == "" || len(id) > maxDevice:
		return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field device-id is missing or too long")
	case f.Get("muc") != "":
		return forms.Form{}, refusal(xmpp.Cancel, xmpp.FeatureNotImplemented, "registrations for rooms are not supported")
	}
	account := from.Bare().String()
	node, secret, err := r.Register(ctx, Request{Account: account, Provider: provider, Token: token, Device: Device(account, id)})
	if err != nil {
		return forms.Form{}, err
	}
	return Issued(service, node, secret), nil
}

// Issued is the form that a registration is answered with.
func Issued(service, node, secret string) forms.Form {
	return forms.Form{Type: "form", Fields: []forms.Field{
		forms.Text("jid", "jid-single", service),
		forms.Text("node", "text-single", node),
		forms.Text("secret", "text-single", secret),
	}}
}

// Device hides who and what a device is: the client computes the same and finds
// its account by it, when the push arrives with it as data.account.
func Device(bareJID, deviceID string) string {
	sum := sha1.Sum([]byte(bareJID + "\x00" + deviceID))
	return hex.EncodeToString(sum[:])
}

// printable keeps out what could break a header or a path.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func refusal(t xmpp.ErrorType, c xmpp.Condition, text string) xmpp.Error {
	return xmpp.Error{Type: t, Condition: c, Text: map[string]string{"": text}}
}
