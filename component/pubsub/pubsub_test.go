package pubsub_test

import (
	"context"
	"encoding/xml"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
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
	d.told = append(d.told, strings.Join([]string{from, n.Node, n.Secret, n.Class.String(), string(rune('0' + n.Count))}, " "))
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

func start(t *testing.T, d *desk) *componenttest.Link {
	s := componenttest.NewPipe(t, componenttest.Options{})
	c, err := component.New(component.Config{
		JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
		Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial, Workers: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(d), pubsub.NSPush)
	return s.Start(t, c)
}

func TestAnswers(t *testing.T) {
	componenttest.Run(t, "testdata/answers.txtar", func(t *testing.T) *componenttest.Link { return start(t, &desk{}) })
}

// TestServers: answers come in any order, since each waits for its own commit.
func TestServers(t *testing.T) {
	d := &desk{}
	l := start(t, d)
	for _, iq := range stanzas(t) {
		l.Ask(t, iq, id(iq))
	}
	want := []string{
		"a.example n1  message 3", "a.example n1  silent 1", "a.example n1  silent 1",
		"a.example n1  subscription 1", "a.example n1 s message 1",
	}
	slices.Sort(d.told)
	if !slices.Equal(d.told, want) {
		t.Errorf("told %q\nwant %q", d.told, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("<publish node='n'><item><notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data'><field var='message-count'><value>-1</value></field></x></notification></item></publish>")
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
		if ok && (n.Count < 1 || n.Count > 1<<20 || !n.Class.Wakes() || n.Class > session.Message) {
			t.Errorf("%+v", n)
		}
	})
}
