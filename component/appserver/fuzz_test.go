package appserver_test

import (
	"context"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"rouse/component/appserver"
	"rouse/component/forms"
	"rouse/component/p2"
)

// keeper looks at what gets through to be kept.
type keeper struct{ t *testing.T }

func (k keeper) look(r appserver.Request) {
	if r.Account != "juliet@example.org" || r.Provider != p2.FCM || r.Node == "" || len(r.Node) > 1024 || len(r.Device) != 40 {
		k.t.Errorf("%+v", r)
	}
}

func (k keeper) Register(_ context.Context, r appserver.Request) (string, error) {
	if k.look(r); !p2.Token(r.Token) {
		k.t.Errorf("token %q", r.Token)
	}
	return "secret", nil
}

func (k keeper) Unregister(_ context.Context, r appserver.Request) (bool, error) {
	k.look(r)
	return true, nil
}

// FuzzCommands: whatever stands in a form, only what can be a device is kept.
func FuzzCommands(f *testing.F) {
	f.Add("type", "fcm", "node", "my-phone", "token", "t")
	f.Add("type", "FCM", "node", "", "token", "\x00")
	f.Add("type", "apns", "node", strings.Repeat("n", 1025), "token", "t")
	f.Fuzz(func(t *testing.T, a, x, b, y, c, z string) {
		form := forms.Form{Fields: []forms.Field{forms.Text(a, "", x), forms.Text(b, "", y), forms.Text(c, "", z), {Var: a}}}
		for _, command := range appserver.Commands(keeper{t}, "push.example.org", p2.FCM) {
			command.Run(t.Context(), jid.MustParse("juliet@example.org/phone"), form)
			if _, err := command.Run(t.Context(), jid.MustParse("example.org"), form); err == nil {
				t.Error("a domain has a device")
			}
		}
	})
}
