package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/session"
)

// Device is one that an account has, as its user may know it.
type Device struct {
	Address session.Address
	Name    string
	Filter  *session.Filter
}

// Desk knows accounts. An account is a bare JID.
type Desk interface {
	// Ours reports whether wakes of the account are decided here.
	Ours(account string) bool

	// Choices gives the filter of an account, and its devices.
	Choices(ctx context.Context, account string) (*session.Filter, []Device, error)

	// Choose sets the filter of a device, or with a zero address that of all.
	Choose(ctx context.Context, account string, device session.Address, f *session.Filter) error

	// Explain tells what happened to an account, in lines; with a stanza's id what that
	// one came to.
	Explain(ctx context.Context, account, stanza string, zone string) ([]string, error)
}

// Commands gives the commands. Admins, bare JIDs, may ask for any account.
func Commands(d Desk, admins []string, now func() time.Time) []adhoc.Command {
	return []adhoc.Command{
		{Node: Filters, Name: "What my devices are woken for", Steps: filters{d, now}.step},
		{Node: Explain, Name: "Why my devices were woken, or not", Steps: explanation{d, admins}.step},
	}
}

// The nodes of the commands.
const (
	Filters = "push-filters"
	Explain = "push-explain"
)

// Chat names the chat of an account with a person or a room, both bare JIDs in normal
// form, as servers' modules do (docs/events.md, "Chat").
func Chat(account, with string) string {
	sum := sha256.Sum256([]byte(account + "\x00" + with))
	return hex.EncodeToString(sum[:6])
}

// asker is the account that asks, if it is one of ours.
func asker(d Desk, from jid.JID) (string, error) {
	account := from.Bare().String()
	if from.Localpart() == "" || !d.Ours(account) {
		return "", refusal(xmpp.Auth, xmpp.Forbidden, "only for users of servers whose wakes are decided here")
	}
	return account, nil
}

func isAdmin(admins []string, from jid.JID) bool {
	return slices.Contains(admins, from.Bare().String())
}

func refusal(t xmpp.ErrorType, c xmpp.Condition, text string) xmpp.Error {
	return xmpp.Error{Type: t, Condition: c, Text: map[string]string{"": text}}
}
