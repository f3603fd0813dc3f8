package ping_test

import (
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/ping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		ping.Handle(c)
		if f := c.Features(); len(f) != 1 || f[0] != ping.NS {
			t.Errorf("features %v", f)
		}
		return s.Start(t, c)
	})
}
