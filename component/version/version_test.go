package version_test

import (
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/version"
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
		version.Handle(c, version.Info{Name: "rouse", Version: "1.2"})
		if f := c.Features(); len(f) != 1 || f[0] != version.NS {
			t.Errorf("features %v", f)
		}
		return s.Start(t, c)
	})
}

func TestInfoWithOS(t *testing.T) {
	s := componenttest.NewPipe(t, componenttest.Options{})
	c, err := component.New(component.Config{
		JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
		Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	version.Handle(c, version.Info{Name: "rouse", Version: "1", OS: "Plan 9"})
	link := s.Start(t, c)
	answer := link.Ask(t, "<iq type='get' id='1' from='a@b' to='push.example.org'><query xmlns='jabber:iq:version'/></iq>", "1")
	if os := answer.First().ChildText(version.NS, "os"); os != "Plan 9" {
		t.Errorf("got %q", os)
	}
}
