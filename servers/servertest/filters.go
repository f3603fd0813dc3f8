package servertest

import (
	"fmt"
	"strings"
	"testing"
)

// Filters is a story: alice's phone says in <enable/> what it is not to be woken for,
// as Tigase's clients do and as rouse has it. It is told with names of chats. Who
// writes is a stranger until alice asks to have him in her roster.
func Filters(t *testing.T, r *Rig) {
	phone := r.Login("alice/phone")
	alice, bob := r.JID("alice"), r.JID("bob")
	info, err := phone.IQ(r.Ctx, alice, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	r.Check(err)
	for _, feature := range []string{"rouse:filter:0", "tigase:push:filter:muted:0", "tigase:push:filter:groupchat:0", "tigase:push:filter:ignore-unknown:0", "tigase:push:priority:0"} {
		if !strings.Contains(info, feature) {
			t.Errorf("the account does not offer %s: %s", feature, info)
		}
	}
	chat := func(with string) string { return short(alice + "\x00" + with) }
	enable := func(children string, want ...string) {
		t.Helper()
		answer, err := phone.IQ(r.Ctx, "", "set", fmt.Sprintf("<enable xmlns='urn:xmpp:push:0' jid='%s' node='n1'>%s</enable>", Others.JID, children))
		if r.Check(err); !strings.Contains(answer, "type='result'") && !strings.Contains(answer, `type="result"`) {
			t.Fatalf("the server answers %s", answer)
		}
		e := r.Event("enable", "user", "alice", "node", "n1")
		var told []Element
		for _, c := range e.Children {
			if c.XMLName.Local == "filter" {
				told = append(told, c)
			}
		}
		switch {
		case want == nil && told != nil:
			t.Errorf("nothing was chosen, told is %v", told)
		case want != nil && len(told) != 1:
			t.Errorf("told is %v, want %v", told, want)
		case want != nil:
			r.Want(told[0], want...)
		}
	}
	enable(fmt.Sprintf("<muted xmlns='tigase:push:filter:muted:0'><item jid='%s'/><item jid='Carol@Example.net/desk'/><item jid=''/></muted>"+
		"<groupchat xmlns='tigase:push:filter:groupchat:0'><room jid='hall@rooms.example' allow='mentioned' nick='Ally'/><room jid='garden@rooms.example' allow='always' nick='Ally'/></groupchat>"+
		"<ignore-unknown xmlns='tigase:push:filter:ignore-unknown:0'/><priority xmlns='tigase:push:priority:0'/>", bob),
		"muted", chat(bob)+" "+chat("carol@example.net"), "groups", "never", "mentioned", chat("hall@rooms.example"), "always", chat("garden@rooms.example"),
		"known", "true", "priority", "true", "never", "", "quiet", "", "calls", "")
	enable("")
	enable("<muted xmlns='tigase:push:filter:muted:0'/>", "muted", "", "groups", "", "known", "")
	enable("<filter xmlns='rouse:filter:0' known='1' groups='mentioned' calls='true' quiet='22:00-07:00' zone='Europe/Berlin' until='2026-12-24T18:00:00+01:00' grace='30'>"+
		"<muted jid='carol@example.net'/><room jid='hall@rooms.example' allow='never'/></filter>",
		"known", "true", "groups", "mentioned", "calls", "true", "quiet", "22:00-07:00", "zone", "Europe/Berlin", "until", "2026-12-24T18:00:00+01:00", "grace", "30",
		"muted", chat("carol@example.net"), "never", chat("hall@rooms.example"))
	enable("<filter xmlns='rouse:filter:0' known='perhaps' groups='some' calls='false' quiet='at night' zone='&lt;x&gt;' until='tomorrow' grace='-1'/>",
		"known", "", "groups", "", "calls", "", "quiet", "", "zone", "", "until", "", "grace", "")
	many := ""
	for i := range 250 {
		many += fmt.Sprintf("<muted jid='n%d@example.net'/>", i)
	}
	_, err = phone.IQ(r.Ctx, "", "set", fmt.Sprintf("<enable xmlns='urn:xmpp:push:0' jid='%s' node='n1'><filter xmlns='rouse:filter:0'>%s</filter></enable>", Others.JID, many))
	r.Check(err)
	for _, c := range r.Event("enable", "node", "n1").Children {
		if n := len(strings.Fields(c.Attr("muted"))); c.XMLName.Local == "filter" && n != 200 {
			t.Errorf("of 250 chats %d are told", n)
		}
	}

	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Say("who are you")
	r.Want(r.Event("queued", "user", "alice"), "chat", chat(bob), "stranger", "true")
	desk := r.Login("alice/desk")
	_, err = desk.IQ(r.Ctx, "", "set", fmt.Sprintf("<query xmlns='jabber:iq:roster'><item jid='%s' name='Bob'/></query>", bob))
	r.Check(err)
	r.Say("in the roster, and nothing more")
	r.Want(r.Event("queued", "user", "alice"), "stranger", "true")
	r.Check(desk.Send(r.Ctx, fmt.Sprintf("<presence type='subscribe' to='%s'/>", bob)))
	_, err = desk.IQ(r.Ctx, alice, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>") // after that
	r.Check(err)
	r.Say("at last")
	r.Want(r.Event("queued", "user", "alice"), "stranger", "")
}
