package p2_test

import (
	"context"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"rouse/component/forms"
	"rouse/component/p2"
)

// keeper looks at what gets through to be kept.
type keeper struct{ t *testing.T }

func (k keeper) look(r p2.Request) {
	if r.Account != "juliet@example.org" || len(r.Device) != 40 || (r.Channel == "") != (r.Domain == "") {
		k.t.Errorf("%+v", r)
	}
}

func (k keeper) Register(_ context.Context, r p2.Request) (node, secret string, err error) {
	if k.look(r); !p2.Token(r.Token) || len(r.Token) > 4096 {
		k.t.Errorf("token %q", r.Token)
	}
	return "node", "secret", nil
}

func (k keeper) Unregister(_ context.Context, r p2.Request) (bool, error) {
	k.look(r)
	return true, nil
}

// FuzzCommands: whatever stands in a form, only what can be a device is kept.
func FuzzCommands(f *testing.F) {
	f.Add("token", "t", "android-id", "d", "muc", "room@rooms.example.org")
	f.Add("token", "", "device-id", strings.Repeat("x", 1025), "channel", "@")
	f.Add("token", "a b\r\nX: y", "device-id", "d", "muc", "rooms.example.org/r")
	f.Fuzz(func(t *testing.T, a, x, b, y, c, z string) {
		form := forms.Form{Fields: []forms.Field{forms.Text(a, "", x), forms.Text(b, "", y), forms.Text(c, "", z), {Var: a}}}
		for _, command := range p2.Commands(keeper{t}, "push.example.org", p2.FCM, p2.APNs) {
			command.Run(t.Context(), jid.MustParse("juliet@example.org/phone"), form)
			if _, err := command.Run(t.Context(), jid.MustParse("example.org"), form); err == nil {
				t.Error("a domain has a device")
			}
		}
	})
}
