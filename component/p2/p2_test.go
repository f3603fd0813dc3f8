package p2_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/componenttest"
	"rouse/component/p2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo gives what it was asked for as the node.
type echo struct{}

func (echo) Register(_ context.Context, r p2.Request) (node, secret string, err error) {
	return strings.Join([]string{r.Provider, r.Account, r.Device, r.Token, r.Channel, r.Domain}, " "), "s3cret", nil
}

// Unregister finds what Conversations registered in testdata/register.txtar, and
// its room.
func (echo) Unregister(_ context.Context, r p2.Request) (bool, error) {
	known := r.Provider == "fcm" && r.Account == "juliet@example.org" && r.Token == "" && r.Device == p2.Device(r.Account, "0123456789abcdef")
	return known && (r.Channel == "" || r.Channel == p2.Device("verona@rooms.example.org", "0123456789abcdef") && r.Domain == "rooms.example.org"), nil
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c, err := component.New(component.Config{
			JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
			Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		adhoc.Handle(c, slog.New(slog.DiscardHandler), p2.Commands(echo{}, "push.example.org", p2.FCM, p2.APNs)...)
		return s.Start(t, c)
	})
}
