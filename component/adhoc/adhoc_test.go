package adhoc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/componenttest"
	"rouse/component/disco"
	"rouse/component/forms"
	"rouse/component/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func commands() []adhoc.Command {
	return []adhoc.Command{
		{Node: "register", Name: "Register <x>", Run: func(_ context.Context, from jid.JID, f forms.Form) (forms.Form, error) {
			return forms.Form{Type: "form", Fields: []forms.Field{forms.Text("who", "jid-single", from.String()), forms.Text("token", "", f.Get("token"))}}, nil
		}},
		{Node: "unregister", Name: "Unregister", Run: func(_ context.Context, _ jid.JID, f forms.Form) (forms.Form, error) {
			if len(f.Fields) == 0 {
				return forms.Form{}, xmpp.Error{Type: xmpp.Modify, Condition: xmpp.NotAcceptable, Text: map[string]string{"": "no form"}}
			}
			return forms.Form{}, nil
		}},
		{Node: "broken", Name: "Broken", Run: func(context.Context, jid.JID, forms.Form) (forms.Form, error) {
			return forms.Form{}, errors.New("the disk is full")
		}},
		{
			Node: "ask", Name: "Ask",
			Ask: func() forms.Form {
				return forms.Form{Type: "form", Fields: []forms.Field{{Var: "token", Type: "text-single"}}}
			},
			Run: func(_ context.Context, _ jid.JID, f forms.Form) (forms.Form, error) {
				return forms.Form{Type: "form", Fields: []forms.Field{forms.Text("token", "", f.Get("token"))}}, nil
			},
		},
	}
}

func newComponent(t *testing.T, s *componenttest.Server, rand string) *component.Component {
	t.Helper()
	cfg := component.Config{
		JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
		Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial,
	}
	if rand != "" {
		cfg.Rand = strings.NewReader(rand)
	}
	c, err := component.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c := newComponent(t, s, "")
		cmds := adhoc.Handle(c, slog.New(slog.DiscardHandler), commands()...)
		disco.Handle(c, disco.Info{Identity: disco.Push("rouse"), Commands: cmds})
		return s.Start(t, c)
	})
}

func TestFaultsAreLoggedNotTold(t *testing.T) {
	for _, tt := range []struct{ node, rand, logged string }{
		{"broken", "", "the disk is full"},
		{"register", "short", "no randomness"},
	} {
		var log bytes.Buffer
		s := componenttest.NewPipe(t, componenttest.Options{})
		c := newComponent(t, s, tt.rand)
		adhoc.Handle(c, slog.New(slog.NewTextHandler(&log, nil)), commands()...)
		link := s.Start(t, c)
		e := link.Ask(t, "<iq type='set' id='1' from='a@b' to='push.example.org'><command xmlns='"+adhoc.NS+"' node='"+tt.node+"'/></iq>", "1")
		if got := stanza.ErrorOf(&e); got.Type != xmpp.Wait || got.Condition != xmpp.InternalServerError || len(got.Text) != 0 {
			t.Errorf("%s: got %+v", tt.node, got)
		}
		if !strings.Contains(log.String(), tt.logged) {
			t.Errorf("%s: logged %s", tt.node, log.String())
		}
	}
}

func TestTwoCommandsAtOneNode(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the second was taken")
		}
	}()
	s := componenttest.NewPipe(t, componenttest.Options{})
	adhoc.Handle(newComponent(t, s, ""), slog.New(slog.DiscardHandler), adhoc.Command{Node: "a"}, adhoc.Command{Node: "A"})
}
