package componenttest_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/component"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/stream"

	"rouse/component/componenttest"
	"rouse/component/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial connects mellium's component client.
func dial(t *testing.T, s *componenttest.Server, secret string) (*xmpp.Session, error) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return component.NewSession(t.Context(), jid.MustParse("push.example.org"), []byte(secret), conn)
}

func TestMelliumTakesTheServerForReal(t *testing.T) {
	s := componenttest.New(t, componenttest.Options{Host: "push.example.org"})
	session, err := dial(t, s, componenttest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- session.Serve(mux.New(component.NSAccept, ping.Handle())) }()
	l := s.Accept(t)

	answer := l.Ask(t, "<iq type='get' id='p1' from='a@example.org/x' to='push.example.org'><ping xmlns='urn:xmpp:ping'/></iq>", "p1")
	if answer.Get("type") != "result" || answer.Get("to") != "a@example.org/x" {
		t.Errorf("got %+v", answer)
	}
	l.Alive(t)

	// A request of the component, answered by the script.
	got := make(chan error, 1)
	go func() { got <- ping.Send(context.Background(), session, jid.MustParse("example.org")) }()
	ask := l.Next(t)
	if ask.First() == nil || !ask.First().Is("urn:xmpp:ping", "ping") {
		t.Fatalf("got %+v", ask)
	}
	l.Send("<iq type='result' id='" + ask.Get("id") + "' from='example.org' to='push.example.org'/>")
	if err := <-got; err != nil {
		t.Errorf("ping: %v", err)
	}
	l.Send("</stream:stream>")
	if err := <-served; err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("Serve: %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	s := componenttest.New(t, componenttest.Options{Host: "push.example.org", Refuse: []string{"", "conflict"}})
	for i, tt := range []struct{ secret, want string }{
		{"wrong", "not-authorized"},
		{componenttest.Secret, "conflict"},
		{componenttest.Secret, ""},
	} {
		_, err := dial(t, s, tt.secret)
		var se stream.Error
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("try %d: %v", i, err)
		case tt.want != "" && (!errors.As(err, &se) || se.Err != tt.want):
			t.Errorf("try %d: got %v, want %s", i, err, tt.want)
		}
	}
	if n := len(s.Tries()); n != 3 {
		t.Errorf("%d tries counted", n)
	}
	other := componenttest.New(t, componenttest.Options{Host: "other.example.org"})
	var se stream.Error
	if _, err := dial(t, other, componenttest.Secret); !errors.As(err, &se) || se.Err != "host-unknown" {
		t.Errorf("got %v, want host-unknown", err)
	}
}

func TestServerRoutesToItsComponent(t *testing.T) {
	s := componenttest.New(t, componenttest.Options{})
	session, err := dial(t, s, componenttest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	echo := make(chan string, 1)
	go session.Serve(xmpp.HandlerFunc(func(_ xmlstream.TokenReadEncoder, start *xml.StartElement) error {
		echo <- start.Name.Local
		return nil
	}))
	l := s.Accept(t)
	if err := session.Send(t.Context(), stanza.TokenReader(stanza.Element{Space: component.NSAccept, Name: "message", Attr: []stanza.Attr{{Name: "to", Value: "push.example.org"}}})); err != nil {
		t.Fatal(err)
	}
	if got := <-echo; got != "message" {
		t.Errorf("got %s back", got)
	}
	l.Drop()
	<-l.Ended()
	if l.Heard() {
		t.Error("what the component says to itself was kept")
	}
}

func TestEveryByteMatters(t *testing.T) { // a stand-in that takes anything would prove nothing
	s := componenttest.New(t, componenttest.Options{})
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='c.example'><handshake/></stream:stream>")
	b, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(b), "not-authorized") || strings.Contains(string(b), "<handshake") {
		t.Errorf("got %s, %v", b, err)
	}
}
