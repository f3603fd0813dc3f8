package tigase_test

import (
	"context"
	"testing"

	"mellium.im/xmpp/jid"

	"rouse/component/forms"
	"rouse/component/p2"
	"rouse/component/tigase"
)

// keeper looks at what gets through to be kept.
type keeper struct{ t *testing.T }

func (k keeper) look(r tigase.Request) {
	if r.Account != "juliet@example.org" || r.Provider != siskin || !p2.Token(r.Token) || r.Calls != "" && !p2.Token(r.Calls) || len(r.Device) != 40 {
		k.t.Errorf("%+v", r)
	}
}

func (k keeper) Register(_ context.Context, r tigase.Request) (string, error) {
	k.look(r)
	return "node", nil
}

func (k keeper) Unregister(_ context.Context, r tigase.Request) (bool, error) {
	k.look(r)
	return true, nil
}

// FuzzCommands: whatever stands in a form, only what can be a device is kept.
func FuzzCommands(f *testing.F) {
	f.Add("provider", siskin, "device-token", "00FF", "device-second-token", "11")
	f.Add("provider", siskin, "device-token", "00 FF", "device-second-token", "\n")
	f.Add("provider", "other", "device-token", "00FF", "", "")
	f.Fuzz(func(t *testing.T, a, x, b, y, c, z string) {
		form := forms.Form{Fields: []forms.Field{forms.Text(a, "", x), forms.Text(b, "", y), forms.Text(c, "", z), {Var: a}}}
		for _, command := range tigase.Commands(keeper{t}, siskin) {
			command.Run(t.Context(), jid.MustParse("juliet@example.org/phone"), form)
			if _, err := command.Run(t.Context(), jid.MustParse("example.org"), form); err == nil {
				t.Error("a domain has a device")
			}
		}
	})
}
