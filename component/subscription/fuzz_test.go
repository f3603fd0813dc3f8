package subscription_test

import (
	"context"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"rouse/component/forms"
	"rouse/component/subscription"
)

// keeper looks at what gets through to be kept. The subscription itself is looked
// at by push/webpush, which has targets of its own.
type keeper struct{ t *testing.T }

func (keeper) Key() string { return "BVAPID" }

func (k keeper) Subscribe(_ context.Context, r subscription.Request) (node, secret string, err error) {
	if r.Account != "juliet@example.org" || len(r.Device) != 40 {
		k.t.Errorf("%+v", r)
	}
	return "node", "secret", nil
}

// FuzzCommand: whatever stands in the form, who asks has a device id and our key.
func FuzzCommand(f *testing.F) {
	f.Add("endpoint", "https://push.example.net/1", "device-id", "d", "vapid", "BVAPID")
	f.Add("endpoint", "http://[::1]", "device-id", strings.Repeat("d", 1025), "vapid", "")
	f.Add("auth", "\x00", "p256dh", "", "vapid", "BOTHER")
	f.Fuzz(func(t *testing.T, a, x, b, y, c, z string) {
		form := forms.Form{Fields: []forms.Field{forms.Text(a, "", x), forms.Text(b, "", y), forms.Text(c, "", z), {Var: a}}}
		command := subscription.Command(keeper{t}, "push.example.org")
		_, err := command.Run(t.Context(), jid.MustParse("juliet@example.org/web"), form)
		if key := form.Get("vapid"); err == nil && (form.Get("device-id") == "" || key != "" && key != "BVAPID") {
			t.Errorf("%+v was taken", form)
		}
		if _, err := command.Run(t.Context(), jid.MustParse("example.org"), form); err == nil {
			t.Error("a domain has a device")
		}
	})
}
