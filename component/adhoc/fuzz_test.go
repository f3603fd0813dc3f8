package adhoc

import (
	"context"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/forms"
	"rouse/component/stanza"
)

// FuzzExecute: whatever is executed, it is answered with the command that it names,
// and runs only with an action that makes sense.
func FuzzExecute(f *testing.F) {
	f.Add("node='register' action='execute'", "<x xmlns='jabber:x:data' type='submit'><field var='token'><value>t</value></field></x>")
	f.Add("node='ask'", "")
	f.Add("node='ASK' action='cancel' sessionid='s'", "<x xmlns='jabber:x:data'/>")
	f.Add("node='register' action='next'", "<actions/>")
	f.Add("", "<field xmlns='jabber:x:data'/>")
	f.Fuzz(func(t *testing.T, attributes, inner string) {
		in := "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'><iq><command xmlns='" + NS + "' " + attributes + ">" + inner + "</command></iq>"
		r := stanza.NewReader(strings.NewReader(in), stanza.Limits{})
		if _, err := r.ReadHeader(); err != nil {
			t.Fatal(err)
		}
		e, err := r.Next()
		if err != nil || len(e.Children) == 0 {
			return
		}
		payload := e.Children[0]
		ran := false
		run := func(_ context.Context, _ jid.JID, f forms.Form) (forms.Form, error) {
			ran = true
			return f, nil
		}
		list := []Command{{Node: "register", Run: run}, {Node: "ask", Run: run, Ask: func() forms.Form { return forms.Form{Type: "form"} }}}
		all := &Commands{list: list, byNode: map[string]*Command{"register": &list[0], "ask": &list[1]}}
		answer, err := all.execute(t.Context(), func() (string, error) { return "id", nil }, component.IQ{From: jid.MustParse("juliet@example.org"), Payload: payload})
		action := payload.Get("action")
		switch {
		case err != nil && ran, err == nil && (answer.Get("node") != payload.Get("node") || answer.Get("sessionid") == ""):
			t.Errorf("%s: %+v, %v", in, answer, err)
		case ran && action != "" && action != "execute" && !strings.EqualFold(payload.Get("node"), "ask"):
			t.Errorf("%s: ran", in)
		}
	})
}
