package subscription_test

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/componenttest"
	"rouse/component/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo gives what it was asked for as the node.
type echo struct{}

func (echo) Key() string { return "BVAPID" }

func (echo) Subscribe(_ context.Context, r subscription.Request) (node, secret string, err error) {
	if r.Auth == "" {
		return "", "", subscription.Unusable{Why: "auth is missing"}
	}
	return r.Account + " " + r.Device + " " + r.Endpoint + " " + r.P256DH + " " + r.Auth, "s3cret", nil
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
		adhoc.Handle(c, slog.New(slog.DiscardHandler), subscription.Command(echo{}, "push.example.org"))
		return s.Start(t, c)
	})
}
