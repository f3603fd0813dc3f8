package disco_test

import (
	"encoding/xml"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/disco"
	"rouse/component/forms"
	"rouse/component/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a component that is a push service without commands.
func start(t *testing.T) *componenttest.Link {
	s := componenttest.NewPipe(t, componenttest.Options{})
	c, err := component.New(component.Config{
		JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
		Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	disco.Handle(c, disco.Info{
		Identity: disco.Push("rouse"),
		Forms:    []forms.Form{{Type: "result", Fields: []forms.Field{forms.Text("FORM_TYPE", "hidden", "urn:x")}}},
	})
	c.AddFeatures(disco.NSPush) // as what is registered later
	return s.Start(t, c)
}

func TestDialogues(t *testing.T) { componenttest.Run(t, "testdata/*.txtar", start) }

func TestMelliumUnderstands(t *testing.T) {
	answer := start(t).Ask(t, "<iq type='get' id='1' from='a@b' to='push.example.org'><query xmlns='"+disco.NSInfo+"'/></iq>", "1")
	var got struct {
		Identity []info.Identity `xml:"http://jabber.org/protocol/disco#info identity"`
		Features []info.Feature  `xml:"http://jabber.org/protocol/disco#info feature"`
	}
	if err := xml.NewTokenDecoder(stanza.TokenReader(*answer.First())).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Identity) != 1 || got.Identity[0].Category != "pubsub" || got.Identity[0].Type != "push" || got.Identity[0].Name != "rouse" {
		t.Errorf("identity %+v", got.Identity)
	}
	if len(got.Features) != 3 || got.Features[2].Var != disco.NSPush {
		t.Errorf("features %+v", got.Features)
	}
}
