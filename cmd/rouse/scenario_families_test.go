package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rouse/component"
	"rouse/component/p2"
	"rouse/component/pubsub"
	"rouse/component/stanza"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// familyApps are the apps that families mean, beside those of the scene: what is
// added to the scene's app for APNs.
var familyApps = map[string]string{
	"siskin":   `tigase_provider = "tigase:messenger:apns:1"` + "\ncontent = true\nprofile = \"siskin\"",
	"monal":    `fpush_modules = ["monalProdiOS"]` + "\nprofile = \"monal\"",
	"mongoose": "mongoose = true\ncontent = true\nprofile = \"mongoose\"",
}

// families plays with all of them, on each server.
func families(t *testing.T, w wish, do func(*testing.T, *play)) {
	t.Helper()
	t.Parallel()
	prepareBoth(t, w, func(t *testing.T, p *play) {
		p.knowsFamilies()
		do(t, p.begins())
	})
}

// knowsFamilies adds their apps to what rouse is told.
func (p *play) knowsFamilies() {
	p.t.Helper()
	text, err := os.ReadFile(p.config())
	p.must(err)
	before, rest, _ := strings.Cut(string(text), "[[app]]\n")
	ios, rest, _ := strings.Cut(rest, "[[app]]\n")
	all := before + "[[app]]\n" + ios
	for name, more := range familyApps {
		all += "[[app]]\n" + more + "\n" + strings.Replace(ios, `"`+sceneIOS+`"`, `"`+name+`"`, 1)
	}
	p.must(os.WriteFile(p.config(), []byte(all+"[[app]]\n"+rest), 0o600))
}

// executes has a client execute a command, and gives the answer.
func (p *play) executes(c *lab.Client, node string, fields ...string) string {
	p.t.Helper()
	answer, err := c.IQ(p.ctx, p.server.Rouse().JID, "set", adhocXML(node, fields...))
	p.must(err)
	if strings.Contains(answer, "type='error'") || strings.Contains(answer, `type="error"`) {
		p.t.Fatalf("%s was answered %s", node, answer)
	}
	return answer
}

func adhocXML(node string, fields ...string) string {
	var form string
	for i := 0; i < len(fields); i += 2 {
		form += "<field var='" + fields[i] + "'><value>" + fields[i+1] + "</value></field>"
	}
	return "<command xmlns='http://jabber.org/protocol/commands' node='" + node + "' action='execute'><x xmlns='jabber:x:data' type='submit'>" + form + "</x></command>"
}

// value takes a field's value out of an answer.
func (p *play) value(answer, name string) string {
	p.t.Helper()
	e := parseStanza(p.t, answer)
	form := e.First().Child("jabber:x:data", "x")
	for i := range form.Children {
		if f := &form.Children[i]; f.Get("var") == name {
			return f.ChildText("jabber:x:data", "value")
		}
	}
	p.t.Fatalf("no field %s in %s", name, answer)
	return ""
}

func parseStanza(t *testing.T, xml string) stanza.Element {
	t.Helper()
	r := stanza.NewReader(strings.NewReader("<stream:stream xmlns='jabber:client' xmlns:stream='"+stanza.NSStream+"'>"+xml), stanza.Limits{})
	if _, err := r.ReadHeader(); err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil {
		t.Fatalf("%v: %s", err, xml)
	}
	return e
}

// enables has a client enable a node, with options.
func (p *play) enables(c *lab.Client, node string, options ...string) {
	p.t.Helper()
	form := ""
	for i := 0; i < len(options); i += 2 {
		form += "<field var='" + options[i] + "'><value>" + options[i+1] + "</value></field>"
	}
	if form != "" {
		form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>" + form + "</x>"
	}
	_, err := c.IQ(p.ctx, "", "set", "<enable xmlns='urn:xmpp:push:0' jid='"+p.server.Rouse().JID+"' node='"+node+"'>"+form+"</enable>")
	p.must(err)
}

// Each registers and enables as the clients of one family do.

func (p *play) appserverDevice(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	answer := p.executes(c, "v1-register-push", "type", "apns", "node", "device-"+name, "token", pushtest.APNsToken(name))
	p.nodes[name] = lab.Registration{Node: "device-" + name, Secret: p.value(answer, "secret")}
	p.enables(c, "device-"+name, "secret", p.nodes[name].Secret)
	return c
}

func (p *play) siskin(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	token := strings.ToUpper(pushtest.APNsToken(name))
	answer := p.executes(c, "register-device", "provider", "tigase:messenger:apns:1", "device-token", token)
	p.nodes[name], p.names[token] = lab.Registration{Node: p.value(answer, "node")}, name
	p.enables(c, p.nodes[name].Node)
	return c
}

func (p *play) monal(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.nodes[name] = lab.Registration{Node: pushtest.APNsToken(name)}
	p.enables(c, p.nodes[name].Node, "pushModule", "monalProdiOS")
	return c
}

// payload reads what a device was sent last.
func (p *play) payload(name string) map[string]any {
	p.t.Helper()
	var got map[string]any
	for _, w := range p.wakes() {
		if p.names[w.Token] == name || w.Token == pushtest.APNsToken(name) {
			got = nil
			p.must(json.Unmarshal(w.Payload, &got))
		}
	}
	if got == nil {
		p.t.Fatalf("%s was not woken", name)
	}
	return got
}

// TestFamiliesOnAStockServer: whose client registered how does not matter to a
// server with its own push module alone, and each is sent what it parses.
func TestFamiliesOnAStockServer(t *testing.T) {
	families(t, wish{noModule: true, tells: true, alone: true}, func(t *testing.T, p *play) {
		names := []string{"conversations", "appserver", "siskin", "monal", "mongoose", "browser"}
		for _, c := range []*lab.Client{p.conversations("conversations"), p.appserverDevice("appserver"), p.siskin("siskin"),
			p.monal("monal"), p.mongoose("mongoose"), p.browser("browser")} {
			p.must(c.Drop(p.ctx))
		}
		p.sends(lab.Chat(p.juliet(), "m1", "body of m1"))
		p.were(names...)

		if got := p.payload("appserver")["account"]; got != p2.Device(p.juliet(), "device-appserver") {
			t.Errorf("mod_push_appserver's client finds account %v", got)
		}
		if got := p.payload("siskin"); got["account"] != p.juliet() || got["sender"] != p.romeo.JID() || got["body"] != "body of m1" {
			t.Errorf("Siskin finds %v", got)
		}
		if got := fmt.Sprint(p.payload("monal")); !strings.Contains(got, "mutable-content:1") || strings.Contains(got, "body of m1") || strings.Contains(got, "romeo") {
			t.Errorf("Monal finds %v", got)
		}

		// An account is removed from the app, which has no login any more.
		token := strings.ToUpper(pushtest.APNsToken("siskin"))
		resp, err := http.Post("http://"+p.web+"/rest/push/unregister-device/"+p.server.Rouse().JID, "application/json",
			strings.NewReader(`{"account":"`+p.juliet()+`","provider":"tigase:messenger:apns:1","device-token":"`+token+`"}`))
		p.must(err)
		body, err := io.ReadAll(resp.Body)
		p.must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"result":"success"`) {
			t.Fatalf("unregistering by HTTP: %d %s", resp.StatusCode, body)
		}
		back := p.client("juliet", "another", lab.ClientOptions{NoPresence: true})
		p.executes(back, "v1-unregister-push", "type", "apns", "node", "device-appserver")
		p.executes(back, "unregister-push-fcm", "android-id", "conversations")
		p.must(back.Bye(p.ctx))
		p.sends(lab.Chat(p.juliet(), "m2", "body of m2"))
		p.were(append(names, "monal", "mongoose", "browser")...)
		// The server may also have published what it told those that sleep, of the app that
		// came and went, and that Siskin's registration is over: one silent wake each, which
		// waits for its window.
		if owed := p.owed(); owed < 9 || owed > 9+len(names) {
			t.Errorf("%d wakes were decided, want 6 and then 3: %v", owed, p.told())
		}
		p.noSecrets("body of m1", "body of m2", token, pushtest.APNsToken("monal"), pushtest.APNsToken("appserver"), p.nodes["appserver"].Secret)
	})
}

// TestFamiliesOfOurOwnUsers: the module reports what they enabled, secret or not.
func TestFamiliesOfOurOwnUsers(t *testing.T) {
	families(t, wish{}, func(t *testing.T, p *play) {
		var all []*lab.Client
		for i, f := range []func(string) *lab.Client{p.appserverDevice, p.siskin, p.monal} {
			all = append(all, f([]string{"appserver", "siskin", "monal"}[i]))
			p.saw("enable", i+1)
		}
		for _, c := range all {
			p.sleeps(c)
		}
		p.chat("m1")
		p.wants("appserver", "siskin", "monal")
		if got := p.payload("siskin")["account"]; got != p.juliet() {
			t.Errorf("Siskin finds account %v", got)
		}
		_, err := all[2].Login(p.ctx)
		p.must(err)
		p.must(all[2].DisablePush(p.ctx, p.server.Rouse().JID, pushtest.APNsToken("monal")))
		p.saw("disable", 1)
		p.must(all[2].Drop(p.ctx))
		p.chat("m2")
		p.wants("appserver", "appserver", "siskin", "siskin", "monal")
	})
}

// foreign is a server of another make, as far as we see of it: its domain sends
// stanzas.
type foreign struct {
	*component.Component
	p *play
}

func (f foreign) asks(from, payload string) error {
	f.p.t.Helper()
	_, err := f.Request(f.p.ctx, parseStanza(f.p.t, "<iq type='set' from='"+from+"' to='"+f.p.server.Rouse().JID+"'>"+payload+"</iq>"))
	return err
}

func (f foreign) publishes(node, notification, options string) {
	f.p.t.Helper()
	f.p.must(f.asks(f.JID().String(), "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='"+node+"'><item><notification xmlns='urn:xmpp:push:0'>"+
		notification+"</notification></item></publish>"+options+"</pubsub>"))
}

// TestSealedForTheApp: what is written to juliet comes to her Siskin encrypted for it
// by her own server, with the key that it gave with <enable/>. A second message while
// the app stays away wakes it, and the first one no more (app.once).
func TestSealedForTheApp(t *testing.T) {
	families(t, wish{coalesce: "0s"}, func(t *testing.T, p *play) {
		key := []byte("sixteen bytes ok")
		c := p.siskin("siskin")
		p.saw("enable", 1)
		_, err := c.IQ(p.ctx, "", "set", fmt.Sprintf("<enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'><encrypt xmlns='tigase:push:encrypt:0' alg='aes-128-gcm'>%s</encrypt></enable>",
			p.server.Rouse().JID, p.nodes["siskin"].Node, base64.StdEncoding.EncodeToString(key)))
		p.must(err)
		p.saw("enable", 2)
		p.sleeps(c)
		for i, id := range []string{"m1", "m2"} {
			p.chat(id)
			p.wants([]string{"siskin", "siskin"}[:i+1]...)
			got := p.payload("siskin")
			if said := opened(t, key, got); said["message"] != "body of "+id || said["sender"] != "romeo@"+p.server.Host() || said["type"] != "chat" || got["account"] != p.juliet() || got["body"] != nil {
				t.Errorf("Siskin finds %v, and reads %v", got, said)
			}
		}
		p.noSecrets("body of m1", "body of m2", base64.StdEncoding.EncodeToString(key))
		if n := p.pending(); n != 0 {
			t.Errorf("%d wakes are owed to an app that does not connect", n)
		}
	})
}

// opened is what an app reads in a payload with its key.
func opened(t *testing.T, key []byte, payload map[string]any) (said map[string]any) {
	t.Helper()
	iv, err := base64.StdEncoding.DecodeString(fmt.Sprint(payload["iv"]))
	data, err2 := base64.StdEncoding.DecodeString(fmt.Sprint(payload["encrypted"]))
	block, err3 := aes.NewCipher(key)
	gcm, err4 := cipher.NewGCM(block)
	if err := errors.Join(err, err2, err3, err4); err != nil || len(iv) != gcm.NonceSize() {
		t.Fatalf("%v: %v", payload, err)
	}
	text, err := gcm.Open(nil, iv, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	return said
}

// TestFamiliesOfOtherServers: what Tigase encrypts reaches the app as it is, calls
// by the second token; what MongooseIM says of a device is enough to wake it.
func TestFamiliesOfOtherServers(t *testing.T) {
	domain := lab.Component{JID: "other.test", Secret: "other"}
	p := prepare(t, lab.Options{NoModule: true, Components: []lab.Component{domain}})
	p.knowsFamilies()
	p.begins()
	server := foreign{p.another(domain, 0), p}
	messages := make(chan component.Message, 10)
	server.HandleMessage(func(_ context.Context, m component.Message) { messages <- m })
	p.connects(server.Component)

	const paris = "paris@other.test"
	token, calls := pushtest.APNsToken("paris"), pushtest.APNsToken("paris calls")
	answer, err := server.Request(p.ctx, parseStanza(t, "<iq type='set' from='"+paris+"/siskin' to='"+p.server.Rouse().JID+"'>"+
		adhocXML("register-device", "provider", "tigase:messenger:apns:1", "device-token", token, "device-second-token", calls)+"</iq>"))
	p.must(err)
	node := p.value(string(stanza.AppendElement(nil, answer)), "node")
	p.names[token], p.names[calls] = "paris", "paris calls"

	const encrypted = "<encrypted xmlns='tigase:push:encrypt:0' iv='MTIzNDU2Nzg5MDEy'%s>Y2lwaGVydGV4dCBhbmQgdGFn</encrypted><priority xmlns='tigase:push:priority:0'>high</priority>"
	server.publishes(node, fmt.Sprintf(encrypted, ""), "")
	p.were("paris")
	server.publishes(node, fmt.Sprintf(encrypted, " type='voip'"), "")
	p.were("paris", "paris calls")
	if w := p.last(); w.PushType != "voip" || w.Topic != sceneTopic+".voip" {
		t.Errorf("the call came as %s to %s", w.PushType, w.Topic)
	}
	for _, name := range []string{"paris", "paris calls"} {
		if got := p.payload(name); got["account"] != paris || got["encrypted"] != "Y2lwaGVydGV4dCBhbmQgdGFn" || got["iv"] != "MTIzNDU2Nzg5MDEy" {
			t.Errorf("%s finds %v", name, got)
		}
	}

	p.must(server.asks(paris+"/m", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='punsub' type='push'/></pubsub>"))
	p.must(server.asks(paris+"/m", "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='punsub'><affiliation jid='other.test' affiliation='publish-only'/></affiliations></pubsub>"))
	p.names[pushtest.APNsToken("mongoose")] = "mongoose"
	server.publishes("punsub", "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field><field var='message-count'><value>2</value></field>"+
		"<field var='last-message-sender'><value>romeo@other.test</value></field><field var='last-message-body'><value>a body</value></field></x>",
		"<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"+
			"<field var='device_id'><value>"+pushtest.APNsToken("mongoose")+"</value></field><field var='service'><value>apns</value></field><field var='topic'><value>"+sceneTopic+"</value></field></x></publish-options>")
	p.were("paris", "paris calls", "mongoose")
	if got := fmt.Sprint(p.payload("mongoose")["aps"]); !strings.Contains(got, "body:a body") || !strings.Contains(got, "title:romeo@other.test") || !strings.Contains(got, "badge:2") {
		t.Errorf("MongooseIM's client finds %v", got)
	}

	// Apple says that the app is not there any more: so does rouse, to the account,
	// as Tigase and Siskin understand it.
	p.apns.Queue(pushtest.Reply{Status: http.StatusGone, Reason: "Unregistered", Timestamp: time.Now()})
	server.publishes(node, fmt.Sprintf(encrypted, ""), "")
	select {
	case m := <-messages:
		e := m.Stanza
		if affiliation := e.Child(pubsub.NS, "pubsub").Child(pubsub.NS, "affiliation"); e.Get("from") != p.server.Rouse().JID || e.Get("to") != paris ||
			e.Child(pubsub.NS, "pubsub").Get("node") != node || affiliation.Get("jid") != paris || affiliation.Get("affiliation") != "none" {
			t.Errorf("the account was told %s", stanza.AppendElement(nil, e))
		}
	case <-p.ctx.Done():
		t.Fatal("the account was not told that its node is gone")
	}
	p.noSecrets("a body", "romeo@other.test", "Y2lwaGVydGV4dCBhbmQgdGFn", token, calls)
}
