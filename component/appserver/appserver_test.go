package appserver_test

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/appserver"
	"rouse/component/componenttest"
	"rouse/component/p2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk has one node of juliet's, and tells what it was asked for in the secret.
type desk struct{}

func (desk) Register(_ context.Context, r appserver.Request) (string, error) {
	if r.Node == "my-phone" && r.Device != p2.Device("juliet@example.org", "my-phone") {
		return "", xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.Conflict}
	}
	return r.Account + " " + r.Provider + " " + r.Token, nil
}

func (desk) Unregister(_ context.Context, r appserver.Request) (bool, error) {
	return r.Device == p2.Device("juliet@example.org", "my-phone") && r.Provider == p2.APNs, nil
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
		adhoc.Handle(c, slog.New(slog.DiscardHandler), appserver.Commands(desk{}, "push.example.org", p2.APNs)...)
		return s.Start(t, c)
	})
}
