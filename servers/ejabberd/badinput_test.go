package ejabberd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// stored are the nodes that mod_push has for a user.
func (r *rig) stored(user string) []string {
	r.T.Helper()
	list := r.eval(fmt.Sprintf(`lists:sort([binary_to_list(N) || {_, _, N, _} <- element(2, mod_push_mnesia:lookup_sessions(<<%q>>, <<"example.test">>))]).`, user))
	var nodes []string
	for _, quoted := range strings.Split(strings.Trim(list, "[]"), ",") {
		if quoted != "" {
			nodes = append(nodes, strings.Trim(quoted, `"`))
		}
	}
	return nodes
}

// Nobody but rouse's component speaks for rouse, and nobody but the server reports.
func TestForgedEvents(t *testing.T) {
	r := newRig(t, withOthers)
	phone := r.Login("alice/phone")
	r.Enable(phone, servertest.Others.JID, "n1")
	batch := "<events" + servertest.NS + " epoch='9999999999999' seq='1'><deleted user='bob'/></events>"
	for _, to := range []string{r.e.Host(), r.JID("bob"), r.JID("alice"), ""} {
		answer, err := phone.IQ(r.Ctx, to, "set", batch)
		r.Check(err)
		if !strings.Contains(answer, `type="error"`) {
			t.Errorf("a batch to %q was answered: %s", to, answer)
		}
	}
	// What a client sends to rouse itself goes under the client's own name, and no host has that.
	_, err := phone.IQ(r.Ctx, r.e.Rouse().JID, "set", "<forged xmlns='urn:example'/>")
	r.Check(err)
	forged, err := r.F.AwaitOther(r.Ctx, func(e servertest.Element) bool { _, is := e.Child("forged"); return is })
	r.Check(err)
	if from := forged.Attr("from"); from != phone.JID() {
		t.Errorf("a client's request reaches rouse from %q", from)
	}
	// Another name on it ends the stream of the liar.
	r.Check(phone.Send(r.Ctx, "<iq type='set' id='f' from='"+r.e.Rouse().JID+"' to='"+r.e.Host()+"'><picture"+servertest.NS+"/></iq>"))
	r.Event("ended", "user", "alice")
	r.Nothing("begin", "answered", "deleted")
}

// A client switches push on and off for its own account only, whomever it addresses; what is reported is what is stored.
func TestEnableForOthers(t *testing.T) {
	r := newRig(t)
	phone, other := r.Login("alice/phone"), r.Login("carol/phone")
	r.Enable(other, servertest.Others.JID, "hers")
	for _, c := range []struct{ to, what string }{
		{r.JID("carol"), "<enable xmlns='urn:xmpp:push:0' jid='push.others.test' node='to-carol'/>"},
		{other.JID(), "<enable xmlns='urn:xmpp:push:0' jid='push.others.test' node='to-her-phone'/>"},
		{r.JID("carol"), "<disable xmlns='urn:xmpp:push:0' jid='push.others.test'/>"},
		{r.JID("carol"), "<disable xmlns='urn:xmpp:push:0' jid='push.others.test' node='hers'/>"},
		{r.JID("carol"), "<enable xmlns='urn:xmpp:push:0' jid='push.others.test' node='again'/>"},
		{"alice@elsewhere.example", "<enable xmlns='urn:xmpp:push:0' jid='push.others.test' node='elsewhere'/>"},
	} {
		// What is for a client of hers goes there; nobody answers.
		r.Check(phone.Send(r.Ctx, fmt.Sprintf("<iq type='set' id='x' to='%s'>%s</iq>", c.to, c.what)))
	}
	_, err := phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	known := map[string][]string{"carol": {"hers"}}
	for _, e := range r.Marker() {
		user, node := e.Attr("user"), e.Attr("node")
		switch e.XMLName.Local {
		case "enable":
			if !slices.Contains(known[user], node) {
				known[user] = append(known[user], node)
			}
		case "disable":
			known[user] = slices.DeleteFunc(known[user], func(n string) bool { return n == node })
		}
	}
	for _, user := range []string{"alice", "carol"} {
		slices.Sort(known[user])
		if stored := r.stored(user); !slices.Equal(stored, known[user]) {
			t.Errorf("stored for %s: %q, reported: %q", user, stored, known[user])
		}
	}
	if !slices.Equal(known["carol"], []string{"hers"}) {
		t.Errorf("carol has %q", known["carol"])
	}
}

// Registrations without end: mod_push keeps as many as an account may have sessions (Debian's configuration says 10), and rouse is told of each that is
// stored and of each that made room.
func TestEndlessEnables(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	var all strings.Builder
	for i := range 300 {
		fmt.Fprintf(&all, "<iq type='set' id='e%d'><enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example' node='n%03d'/></iq>", i, i)
	}
	for i := range 300 { // and what is refused
		fmt.Fprintf(&all, "<iq type='set' id='b%d'><enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example'/></iq>", i)
	}
	r.Check(phone.Send(r.Ctx, all.String()+strings.Repeat(" ", 1000)))
	_, err := phone.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	known := map[string]bool{}
	for _, e := range r.Marker() {
		switch e.XMLName.Local {
		case "enable":
			known[e.Attr("node")] = true
		case "disable":
			delete(known, e.Attr("node"))
		}
	}
	stored := r.stored("alice")
	if len(stored) == 0 || len(stored) > 10 {
		t.Errorf("%d registrations are stored", len(stored))
	}
	if len(known) != len(stored) {
		t.Errorf("stored are %q, reported are %v", stored, known)
	}
	for _, node := range stored {
		if !known[node] {
			t.Errorf("%s is stored, and rouse does not know", node)
		}
	}
	left := r.eval(`maps:is_key(rouse_asked, sys:get_state(ejabberd_sm:get_session_pid(<<"alice">>, <<"example.test">>, <<"phone">>))).`)
	if left != "false" {
		t.Errorf("the client's process still remembers what was asked: %s", left)
	}
}

// Forms and trees of any size: refused or reduced to what rouse is to know, and everything goes on.
func TestFormBombs(t *testing.T) {
	r := newRig(t)
	phone := r.Login("alice/phone")
	fields := strings.Repeat("<field var='f'><value>v</value></field>", 4000)
	secret := "<field var='secret'><value>s</value></field>"
	form := "<x xmlns='jabber:x:data' type='submit'>" + fields + secret + secret + "</x>"
	deep := strings.Repeat("<x xmlns='jabber:x:data' type='submit'><field var='f'><value>", 2000) + strings.Repeat("</value></field></x>", 2000)
	nested := strings.Repeat("<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>", 1000) + strings.Repeat("</message></forwarded>", 1000)
	padding := strings.Repeat(" ", 4096)
	for i, inside := range []string{form, deep, "<x/>", nested} {
		r.Check(phone.Send(r.Ctx, fmt.Sprintf("<iq type='set' id='i%d'><enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.example' node='n%d'>%s</enable></iq>%s", i, i, inside, padding)))
	}
	r.Want(r.Event("enable", "user", "alice", "node", "n0"), "secret", servertest.Fingerprint("s"))
	for i, inside := range []string{form, deep, nested, "<sent xmlns='urn:xmpp:carbons:2'>" + nested + "</sent>", "<event xmlns='http://jabber.org/protocol/pubsub#event'>" + nested + "</event>",
		"<propose xmlns='urn:xmpp:jingle-message:0'>" + nested + "</propose>", strings.Repeat("<stanza-id xmlns='urn:xmpp:sid:0' by='carol@example.test' id=''/>", 2000),
		strings.Repeat("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:%zz%'/>", 2000)} {
		r.Send(fmt.Sprintf("<message to='%s' type='chat' id='m%d'><body>b</body>%s</message>%s", r.JID("carol"), i, inside, padding))
		r.Event("archived", "user", "carol")
	}
	// The picture has them too.
	r.Ask("<picture" + servertest.NS + "/>")
	r.Event("begin")
	r.Want(r.Event("endpoint", "node", "n0"), "secret", servertest.Fingerprint("s"))
	r.Event("end")
	if log := r.e.LogTail(5000); strings.Contains(log, "mod_rouse: error") {
		t.Errorf("an error of the module:\n%s", complaints(r.e))
	}
	// A stanza beyond the server's own limit ends the stream of the one who sends it.
	r.Check(phone.Send(r.Ctx, "<message to='"+r.JID("carol")+"'><body>"+strings.Repeat("b", 300000)+"</body></message>"))
	r.Event("ended", "user", "alice")
	r.Send(lab.Chat(r.JID("carol"), "after", "after"))
	r.Event("archived", "user", "carol")
}
