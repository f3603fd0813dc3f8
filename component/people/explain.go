package people

import (
	"context"
	"errors"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/forms"
)

// explanation is the command push-explain: of which account, and of which stanza.
type explanation struct {
	desk   Desk
	admins []string
}

// ErrNoDevice says that there is no such device.
var ErrNoDevice = errors.New("there is no such device any more")

// ErrUnknown says that nothing is known of an account; its text is for who asked.
var ErrUnknown = errors.New("nothing is known of that account")

func (c explanation) step(ctx context.Context, from jid.JID, in forms.Form) (forms.Form, bool, error) {
	admin := isAdmin(c.admins, from)
	account := from.Bare().String()
	if !admin {
		var err error
		if account, err = asker(c.desk, from); err != nil {
			return forms.Form{}, false, err
		}
	}
	if len(in.Fields) == 0 {
		f := forms.Form{Type: "form", Title: "Why were devices woken, or not?",
			Instructions: []string{"With the id of a message, what that one came to; without, what happened lately. Neither texts nor senders are on record."}}
		if admin {
			f.Fields = append(f.Fields, forms.Field{Var: "account", Type: "jid-single", Label: "Account", Values: []string{account}})
		}
		f.Fields = append(f.Fields,
			forms.Field{Var: "stanza", Type: "text-single", Label: "Id of the message (if you know it)"},
			forms.Field{Var: "zone", Type: "text-single", Label: "Times by the clock of, like Europe/Berlin (empty: UTC)"})
		return f, false, nil
	}
	if asked := in.Get("account"); asked != "" && asked != account {
		j, err := jid.Parse(asked)
		switch {
		case !admin:
			return forms.Form{}, false, refusal(xmpp.Auth, xmpp.Forbidden, "only operators may ask for another account")
		case err != nil || j.Localpart() == "":
			return forms.Form{}, false, refusal(xmpp.Modify, xmpp.NotAcceptable, "that is not the address of an account")
		}
		account = j.Bare().String()
	}
	lines, err := c.desk.Explain(ctx, account, in.Get("stanza"), in.Get("zone"))
	switch {
	case errors.Is(err, ErrUnknown):
		return forms.Form{}, false, refusal(xmpp.Cancel, xmpp.ItemNotFound, ErrUnknown.Error())
	case err != nil:
		return forms.Form{}, false, err
	}
	return forms.Form{Type: "result", Title: account, Fields: []forms.Field{
		{Var: "timeline", Type: "text-multi", Label: "What happened", Values: lines},
	}}, true, nil
}
