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

// Request is a device that wants to be woken, or no longer.
type Request struct {
	Account  string // bare JID
	Provider string // FCM or APNs
	Token    string // the provider's name for the device; empty to unregister
	Device   string // see Device
	Channel  string // the same for a room: it is for what that room publishes; else empty
	Domain   string // of the room
}

// Registrar keeps devices. The same device gets the same node and secret again.
// Unregister reports whether there was anything to end.
type Registrar interface {
	Register(ctx context.Context, r Request) (node, secret string, err error)
	Unregister(ctx context.Context, r Request) (found bool, err error)
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
		}, adhoc.Command{
			Node: "unregister-push-" + p,
			Name: "Unregister a device from push by " + strings.ToUpper(p),
			Run: func(ctx context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
				return forms.Form{}, unregister(ctx, r, p, from, f)
			},
		})
	}
	return list
}

func register(ctx context.Context, r Registrar, service, provider string, from jid.JID, f forms.Form) (forms.Form, error) {
	q, err := request(provider, from, f, f.Get("muc"))
	if err != nil {
		return forms.Form{}, err
	}
	if q.Token = f.Get("token"); !Token(q.Token) {
		return forms.Form{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field token is missing or no token")
	}
	node, secret, err := r.Register(ctx, q)
	if err != nil {
		return forms.Form{}, err
	}
	return Issued(service, node, secret), nil
}

func unregister(ctx context.Context, r Registrar, provider string, from jid.JID, f forms.Form) error {
	room := f.Get("muc")
	if room == "" {
		room = f.Get("channel") // what older Conversations calls it here
	}
	q, err := request(provider, from, f, room)
	if err != nil {
		return err
	}
	found, err := r.Unregister(ctx, q)
	if err == nil && !found {
		err = refusal(xmpp.Cancel, xmpp.ItemNotFound, "no such device is registered")
	}
	return err
}

// request reads what both commands have in common.
func request(provider string, from jid.JID, f forms.Form, room string) (Request, error) {
	id := f.Get("device-id")
	if id == "" {
		id = f.Get("android-id")
	}
	switch {
	case from.Localpart() == "":
		return Request{}, refusal(xmpp.Auth, xmpp.Forbidden, "only users have devices")
	case id == "" || len(id) > maxDevice:
		return Request{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field device-id is missing or too long")
	}
	account := from.Bare().String()
	q := Request{Account: account, Provider: provider, Device: Device(account, id)}
	if room != "" {
		j, err := jid.Parse(room)
		if err != nil || j.Localpart() == "" || j.Resourcepart() != "" {
			return Request{}, refusal(xmpp.Modify, xmpp.BadRequest, "the field muc is not the bare JID of a room")
		}
		q.Channel, q.Domain = Device(j.String(), id), j.Domainpart()
	}
	return q, nil
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

// Token reports whether it can be the provider's name for a device: short enough,
// and nothing in it could break a header or a path.
func Token(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
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
