package servertest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
)

// Sealed is a story: alice's app has what is written to her encrypted for it, with a
// key of its own. Nobody else can read it, and without a key it is not told at all.
func Sealed(t *testing.T, r *Rig) {
	phone := r.Login("alice/phone")
	us, alice, bob := r.server.Rouse().JID, r.JID("alice"), r.JID("bob")
	info, err := phone.IQ(r.Ctx, alice, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	if r.Check(err); !strings.Contains(info, "tigase:push:encrypt:aes-128-gcm") {
		t.Errorf("the account does not offer it: %s", info)
	}
	key := []byte("sixteen bytes ok")
	enable := func(node, encrypt string) {
		t.Helper()
		_, err := phone.IQ(r.Ctx, "", "set", fmt.Sprintf("<enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'>%s</enable>", us, node, encrypt))
		r.Check(err)
		r.Event("enable", "node", node)
	}
	encrypted := func(alg string, key []byte) string {
		return fmt.Sprintf("<encrypt xmlns='tigase:push:encrypt:0' alg='%s' max-size='3000'>%s</encrypt>", alg, base64.StdEncoding.EncodeToString(key))
	}
	// sealed gives what alice's app reads in an event.
	sealed := func(e Element) map[string]any {
		t.Helper()
		var found []Element
		for _, c := range e.Children {
			if c.XMLName.Local == "sealed" {
				found = append(found, c)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%v: %d are sealed", e, len(found))
		}
		r.Want(found[0], "service", us, "node", "n1")
		iv, err := base64.StdEncoding.DecodeString(found[0].Attr("iv"))
		r.Check(err)
		data, err := base64.StdEncoding.DecodeString(found[0].Attr("data"))
		r.Check(err)
		block, err := aes.NewCipher(key)
		r.Check(err)
		gcm, err := cipher.NewGCM(block)
		r.Check(err)
		text, err := gcm.Open(nil, iv, data, nil)
		r.Check(err)
		var said map[string]any
		r.Check(json.Unmarshal(text, &said))
		return said
	}
	none := func(e Element) {
		t.Helper()
		for _, c := range e.Children {
			if c.XMLName.Local == "sealed" {
				t.Errorf("%v: is sealed, for nobody", e)
			}
		}
	}
	is := func(said map[string]any, want string) {
		t.Helper()
		text, err := json.Marshal(said)
		if r.Check(err); string(text) != want {
			t.Errorf("the app reads %s, want %s", text, want)
		}
	}

	enable("n1", encrypted("aes-128-gcm", key))
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Say(`he said "O me" ` + "\u2014 then\n\tnothing")
	is(sealed(r.Event("queued", "user", "alice")), fmt.Sprintf(`{"message":"he said \"O me\" — then\n\tnothing","sender":"%s","type":"chat","unread":1}`, bob))
	r.Say(strings.Repeat("é", 200))
	if said := sealed(r.Event("queued", "user", "alice")); said["message"] != strings.Repeat("é", 127) {
		t.Errorf("a long text is cut to %q", said["message"])
	}
	r.Send(lab.Propose(alice, "c1"))
	is(sealed(r.Event("call", "user", "alice")), fmt.Sprintf(`{"media":["audio"],"sender":"%s/desk","sid":"c1","type":"call","unread":1}`, bob))

	phone = r.Login("alice/phone")
	r.Event("bind", "user", "alice")
	for _, bad := range []string{encrypted("aes-128-gcm", key[:8]), encrypted("rot13", key), "<encrypt xmlns='tigase:push:encrypt:0' alg='aes-128-gcm'>!</encrypt>", ""} {
		enable("n1", encrypted("aes-128-gcm", key))
		enable("n1", bad)
	}
	r.Check(phone.Drop(r.Ctx))
	r.Event("hibernated", "user", "alice")
	r.Say("in the clear, for nobody")
	none(r.Event("queued", "user", "alice"))

	// A push service of others gets it with the publish that rouse asks for.
	service := r.Service()
	phone = r.Login("alice/phone")
	r.Event("bind", "user", "alice")
	_, err = phone.IQ(r.Ctx, "", "set", fmt.Sprintf("<enable xmlns='urn:xmpp:push:0' jid='%s' node='n2'>%s</enable>", Others.JID, encrypted("aes-128-gcm", key)))
	r.Check(err)
	r.Event("enable", "node", "n2")
	r.Check(phone.Drop(r.Ctx))
	sid := r.Event("hibernated", "user", "alice").Attr("sid")
	r.Say("for the app alone")
	none(r.Event("queued", "sid", sid))
	ask := fmt.Sprintf("<publish%s wake='w1' user='alice' service='%s' node='n2' class='message' count='1' body='New Message!' priority='high'/>", NS, Others.JID)
	if got := Condition(r.Ask(ask)); got != "" {
		t.Fatalf("refused: %s", got)
	}
	r.Event("answered", "wake", "w1")
	said := fmt.Sprint(service.Last())
	for _, want := range []string{"<encrypted ", "<priority"} {
		if !strings.Contains(said, want) {
			t.Errorf("the push service reads nothing of %s: %s", want, said)
		}
	}
	if strings.Contains(said, "<x") || strings.Contains(said, "for the app") {
		t.Errorf("the push service reads %s", said)
	}
}
