package events

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"rouse/component/stanza"
	"rouse/session"
)

func element(t testing.TB, xml string) *stanza.Element {
	t.Helper()
	r := stanza.NewReader(strings.NewReader("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'><iq>"+xml+"</iq>"), stanza.Limits{})
	if _, err := r.ReadHeader(); err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil || len(e.Children) != 1 {
		return nil
	}
	return &e.Children[0]
}

func batch(inner string) string {
	return "<events xmlns='rouse:events:0' epoch='7' seq='17'>" + inner + "</events>"
}

func TestParse(t *testing.T) {
	at := time.UnixMilli(1763779261400)
	for _, c := range []struct {
		xml  string
		want session.Event
	}{
		{`<hibernated user='juliet' sid='c2s1' n='4' t='1763779261400' out='9' acked='7'><unread class='message' last='9' count='1' key='i:x' tag='0123456789AB'/></hibernated>`,
			session.Event{Kind: session.Hibernate, Session: "c2s1", N: 4, At: at, Out: 9, Acked: 7, Unread: []session.Unread{{Class: session.Message, Last: 9, Count: 1, Key: "i:x", Tag: "0123456789ab"}}}},
		{`<queued user='juliet' sid='c2s1' n='5' out='10' class='group' key='s:1' tag='0123456789ab' epoch='6'><published service='p.example' node='n'/></queued>`,
			session.Event{Kind: session.Queue, Session: "c2s1", N: 5, Epoch: 6, Out: 10, Class: session.Group, Key: "s:1", Tag: "0123456789ab", Published: []session.Address{{Service: "p.example", Node: "n"}}}},
		{`<enable user='juliet' sid='c2s1' service='push.example.org' node='n' secret='ff' module='m' resource='phone' client='c'/>`,
			session.Event{Kind: session.Enable, Session: "c2s1", Address: session.Address{Service: "push.example.org", Node: "n"}, Secret: "ff", Module: "m", Resource: "phone", Client: "c"}},
		{`<enable user='juliet' service='s'><filter known='true' calls='1' priority='false' groups='never' quiet='22:00-07:30' zone='Europe/Berlin' until='2026-12-24T18:00:00+01:00' grace='0' muted='0123456789AB nonsense 0123456789ac' mentioned='0123456789ad'/></enable>`,
			session.Event{Kind: session.Enable, Address: session.Address{Service: "s"}, Filter: &session.Filter{Known: true, Calls: true, Groups: session.Never,
				Quiet: session.Hours{From: 22 * 60, To: 7*60 + 30, Zone: "Europe/Berlin"}, Until: time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC), Grace: -1,
				Muted: []string{"0123456789ab", "0123456789ac"}, Rooms: map[string]session.Allow{"0123456789ad": session.Mentioned}}}},
		{`<enable user='juliet' service='s'><filter groups='some' quiet='22-7' zone='Europe/Berlin' until='soon' grace='601' muted='x' never=''/></enable>`,
			session.Event{Kind: session.Enable, Address: session.Address{Service: "s"}, Filter: &session.Filter{}}},
		{`<enable user='juliet' service='s'><filter quiet='22:00-07:00' zone='Verona/Balcony'/></enable>`,
			session.Event{Kind: session.Enable, Address: session.Address{Service: "s"}, Filter: &session.Filter{}}},
		{`<archived user='juliet' class='message' stranger='true'/>`, session.Event{Kind: session.Archive, Class: session.Message, Stranger: true}},
		{`<call user='juliet' key='i:c' tag='not a tag'><heard sid='a'/><heard sid='b'/><later xmlns='urn:example'/></call>`,
			session.Event{Kind: session.Propose, Key: "i:c", Heard: []string{"a", "b"}}},
		{`<session user='juliet' sid='c2s1' state='delayed'/>`, session.Event{Kind: session.PictureRow, Session: "c2s1", State: session.Delayed}},
		{`<begin/>`, session.Event{Kind: session.PictureOn}},
		{`<answered wake='w' error='item-not-found' error-type='cancel'/>`, session.Event{Kind: session.Answered, Wake: "w", Error: "item-not-found", ErrorType: "cancel"}},
	} {
		b, err := Parse("example.org", element(t, batch(c.xml)))
		if err != nil {
			t.Errorf("%s: %v", c.xml, err)
			continue
		}
		want := c.want
		if want.Epoch == 0 {
			want.Epoch = 7
		}
		if strings.Contains(c.xml, "user=") {
			want.Account = "juliet@example.org"
		}
		if b.Host != "example.org" || b.Epoch != 7 || b.Seq != 17 || len(b.Events) != 1 || !reflect.DeepEqual(b.Events[0], want) {
			t.Errorf("%s\n got %+v\nwant %+v", c.xml, b, want)
		}
	}
}

func TestParsePassesOverWhatItDoesNotKnow(t *testing.T) {
	b, err := Parse("example.org", element(t, batch(`<yawned user='juliet'/><bind xmlns='urn:example'/><bind user='juliet' sid='s' mood='good'/><enable user='juliet' service='p.example' node='`+strings.Repeat("x", maxValue+1)+`'/>`)))
	if err != nil || len(b.Events) != 1 || b.Events[0].Kind != session.Bind {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestEventsAreOfTheNodeThatSends: whoever sends speaks for its node; of another it
// can say only that it is gone.
func TestEventsAreOfTheNodeThatSends(t *testing.T) {
	b, err := Parse("example.org", element(t, `<events xmlns='rouse:events:0' epoch='7' seq='1' node='ejabberd@a'><bind user='j' sid='s' node='ejabberd@c'/><begin/><left node='ejabberd@b'/></events>`))
	if err != nil || b.Node != "ejabberd@a" || len(b.Events) != 3 {
		t.Fatalf("%+v, %v", b, err)
	}
	for i, want := range []string{"ejabberd@a", "ejabberd@a", "ejabberd@b"} {
		if b.Events[i].Node != want {
			t.Errorf("%s is of %s, want %s", b.Events[i].Kind, b.Events[i].Node, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for xml, place := range map[string]string{
		`<events xmlns='rouse:events:0' seq='1'/>`:                                                      "epoch",
		`<events xmlns='rouse:events:0' epoch='1' seq='-1'/>`:                                           "seq",
		batch(`<bind sid='s'/>`):                                                                        "user is missing",
		batch(`<bind user='juliet'/>`):                                                                  "sid is missing",
		batch(`<bind user='ju@liet' sid='s'/>`):                                                         "user",
		batch(`<bind user='j' sid='s'/><enable user='j'/>`):                                             "event 2, <enable/>: service",
		batch(`<bind user='j' sid='s' n='x'/>`):                                                         `n="x"`,
		batch(`<bind user='j' sid='s' epoch='8'/>`):                                                     "epoch is later",
		batch(`<csi user='j' sid='s' state='asleep'/>`):                                                 "asleep",
		batch(`<queued user='j' sid='s' class='urgent'/>`):                                              "urgent",
		batch(`<hibernated user='j' sid='s'><unread class='message'/></hibernated>`):                    "last",
		batch(`<hibernated user='j' sid='s'><unread class='message' last='1' count='x'/></hibernated>`): "count",
		`<events xmlns='rouse:events:0' epoch='7' seq='1' node='a b'/>`:                                 "node",
		batch(`<left/>`): "node is missing",
		batch(`<left node='` + strings.Repeat("x", maxNode+1) + `'/>`): "node is missing, or is not",
		batch(strings.Repeat(`<begin/>`, MaxEvents+1)):                 "at most",
	} {
		_, err := Parse("example.org", element(t, xml))
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%s: %v, want it to name %q", xml, err, place)
		}
	}
}

// TestKindsAreDocumented: the code and docs/events.md know the same elements.
func TestKindsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range session.Kinds() {
		if !strings.Contains(string(doc), "`"+string(k)+"`") && !strings.Contains(string(doc), "<"+string(k)) {
			t.Errorf("docs/events.md does not know %s", k)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(batch(`<hibernated user='juliet' sid='c2s1' n='4' t='1763779261400' out='9' acked='7'><unread class='message' last='9' count='1'/></hibernated>`))
	f.Add(batch(`<call user='juliet' key='i:c'><heard sid='a'/></call><begin/><session user='j' sid='s' state='hibernated'/><end/>`))
	f.Add(batch(`<enable user='juliet' sid='s' service='push.example.org' node='n' secret='ff'/>`))
	f.Fuzz(func(t *testing.T, xml string) {
		e := element(t, xml)
		if e == nil {
			return
		}
		b, err := Parse("example.org", e)
		if err != nil {
			return
		}
		for _, ev := range b.Events {
			if needsUser(ev.Kind) && !strings.HasSuffix(ev.Account, "@example.org") {
				t.Errorf("an event for %q: only accounts of the sender can be meant", ev.Account)
			}
			if ev.Epoch > b.Epoch {
				t.Errorf("epoch %d in a batch of %d", ev.Epoch, b.Epoch)
			}
		}
	})
}
