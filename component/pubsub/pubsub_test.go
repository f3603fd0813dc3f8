package pubsub_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/forms"
	"rouse/component/pubsub"
	"rouse/component/stanza"
	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk answers by the name of the node, and keeps what it was told.
type desk struct {
	mu   sync.Mutex
	told []string
}

func (d *desk) Publish(_ context.Context, from string, n pubsub.Notice) pubsub.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := strings.Join([]string{n.Node, from, n.Class.String(), strconv.Itoa(n.Count)}, " ")
	for _, f := range n.Options.Fields {
		if f.Var != forms.FormType {
			told += " " + f.Var + "=" + strings.Join(f.Values, ",")
		}
	}
	if n.Content != (session.Content{}) {
		told += fmt.Sprintf(" %+v", n.Content)
	}
	d.told = append(d.told, told)
	switch n.Node {
	case "later":
		return pubsub.Later
	case "gone":
		return pubsub.NoNode
	case "forbidden":
		return pubsub.Forbidden
	}
	return pubsub.Accepted
}

func start(t *testing.T, d *desk, nodes bool) *componenttest.Link {
	s := componenttest.NewPipe(t, componenttest.Options{})
	c, err := component.New(component.Config{
		JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
		Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial, Workers: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(d, nodes), pubsub.NSPush)
	if nodes {
		pubsub.HandleNodes(c)
	}
	return s.Start(t, c)
}

func TestAnswers(t *testing.T) {
	componenttest.Run(t, "testdata/answers.txtar", func(t *testing.T) *componenttest.Link { return start(t, &desk{}, false) })
	componenttest.Run(t, "testdata/nodes.txtar", func(t *testing.T) *componenttest.Link { return start(t, &desk{}, true) })
}

// TestServers: answers come in any order, since each waits for its own commit.
func TestServers(t *testing.T) {
	d := &desk{}
	l := start(t, d, false)
	for _, iq := range stanzas(t) {
		l.Ask(t, iq, id(iq))
	}
	var want []string
	for line := range strings.Lines(part(t, "told")) {
		want = append(want, strings.TrimSpace(line))
	}
	slices.Sort(d.told)
	slices.Sort(want)
	for i := range max(len(want), len(d.told)) {
		if i >= len(want) || i >= len(d.told) || want[i] != d.told[i] {
			t.Fatalf("told\n%s\nwant\n%s", strings.Join(d.told, "\n"), strings.Join(want, "\n"))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("<publish node='n'><item><notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data'><field var='message-count'><value>-1</value></field></x></notification></item></publish>")
	f.Add("<publish node='n'><item><notification xmlns='urn:xmpp:push:0'><encrypted xmlns='tigase:push:encrypt:0' iv='i' type='voip'>e</encrypted><priority xmlns='tigase:push:priority:0'>high</priority><jingle xmlns='tigase:push:jingle:0' action='propose'/></notification></item></publish>")
	f.Add("<publish/><publish-options><x xmlns='jabber:x:data'><field var='secret'/></x></publish-options>")
	f.Fuzz(func(t *testing.T, inner string) {
		r := stanza.NewReader(strings.NewReader("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'><iq><pubsub xmlns='"+pubsub.NS+"'>"+inner+"</pubsub></iq>"), stanza.Limits{})
		if _, err := r.ReadHeader(); err != nil {
			t.Fatal(err)
		}
		e, err := r.Next()
		if err != nil || len(e.Children) == 0 {
			return
		}
		n, ok := pubsub.Parse(&e.Children[0])
		if ok && (n.Count < 1 || n.Count > 1<<20 || !n.Class.Wakes() || len(n.Content.Body) > 4096) {
			t.Errorf("%+v", n)
		}
	})
}

// TestContentIsBounded: what no provider takes is not kept, and no character is cut in two.
func TestContentIsBounded(t *testing.T) {
	long := strings.Repeat("ä", 3000)
	d := &desk{}
	l := start(t, d, false)
	l.Ask(t, "<iq type='set' id='1' from='a.example' to='push.example.org'><pubsub xmlns='"+pubsub.NS+"'><publish node='n'><item><notification xmlns='urn:xmpp:push:0'>"+
		"<x xmlns='jabber:x:data'><field var='last-message-body'><value>"+long+"</value></field></x></notification></item></publish></pubsub></iq>", "1")
	l.Ask(t, "<iq type='set' id='2' from='a.example' to='push.example.org'><pubsub xmlns='"+pubsub.NS+"'><publish node='n'><item><notification xmlns='urn:xmpp:push:0'>"+
		"<encrypted xmlns='tigase:push:encrypt:0' iv='i'>"+long+"</encrypted></notification></item></publish></pubsub></iq>", "2")
	slices.Sort(d.told)
	if len(d.told) != 2 || len(d.told[0]) > 4200 || !utf8.ValidString(d.told[0]) || !strings.Contains(d.told[0], "ää") || d.told[1] != "n a.example silent 1" {
		t.Errorf("told %.200q", d.told)
	}
}
