package component_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
)

type outcome struct {
	answer stanza.Element
	err    error
}

func ask(to string) stanza.Element {
	return stanza.Element{
		Name:     "iq",
		Attr:     []stanza.Attr{{Name: "type", Value: "get"}, {Name: "to", Value: to}},
		Children: []stanza.Element{{Space: ns, Name: "ask"}},
	}
}

// request runs a component and a request of it.
func request(t *testing.T, ctx context.Context) (*componenttest.Link, stanza.Element, <-chan outcome) {
	t.Helper()
	s := componenttest.NewPipe(t, componenttest.Options{})
	c := newComponent(t, config(s))
	link := s.Start(t, c)
	synctest.Wait()
	done := make(chan outcome, 1)
	go func() {
		answer, err := c.Request(ctx, ask("U@example.org/r"))
		done <- outcome{answer, err}
	}()
	return link, link.Next(t), done
}

func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link, sent, done := request(t, t.Context())
		id := sent.Get("id")
		if len(id) != 32 || sent.Get("from") != "push.example.org" || sent.Get("to") != "U@example.org/r" {
			t.Errorf("sent %+v", sent)
		}
		// What anybody can send does not count.
		for _, forged := range []string{
			"<iq type='result' id='" + id + "' from='evil@example.net' to='push.example.org'/>",
			"<iq type='result' id='" + id + "' from='u@example.org/other' to='push.example.org'/>",
			"<iq type='error' id='" + id + "' to='push.example.org'/>",
			"<iq type='result' id='other' from='u@example.org/r' to='push.example.org'/>",
		} {
			link.Send(forged)
		}
		synctest.Wait()
		if len(done) != 0 {
			t.Fatalf("a forged answer was taken: %+v", <-done)
		}
		link.Send("<iq type='result' id='" + id + "' from='u@example.org/r' to='push.example.org'><answer xmlns='" + ns + "'/></iq>")
		got := <-done
		if got.err != nil || got.answer.Child(ns, "answer") == nil {
			t.Errorf("got %+v", got)
		}
		link.Send("<iq type='result' id='" + id + "' from='u@example.org/r' to='push.example.org'/>") // once more
		link.Alive(t)
	})
}

func TestRequestAnsweredWithError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link, sent, done := request(t, t.Context())
		link.Send("<iq type='error' id='" + sent.Get("id") + "' from='u@example.org/r' to='push.example.org'><ask xmlns='" + ns + "'/>" +
			"<error type='wait' by='example.org'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>later</text></error></iq>")
		var se xmpp.Error
		if got := <-done; !errors.As(got.err, &se) || se.Type != xmpp.Wait || se.Condition != xmpp.RecipientUnavailable || se.Text["en"] != "later" || !se.By.Equal(jid.MustParse("example.org")) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRequestFailsWithTheLink(t *testing.T) {
	for what, breakIt := range map[string]func(*componenttest.Link){
		"cut":        func(l *componenttest.Link) { l.Drop() },
		"ill-formed": func(l *componenttest.Link) { l.Send("<a></b>") },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link, _, done := request(t, t.Context())
				began := time.Now()
				breakIt(link)
				if got := <-done; !errors.Is(got.err, component.ErrDisconnected) || time.Since(began) != 0 {
					t.Errorf("got %v after %v", got.err, time.Since(began))
				}
			})
		})
	}
}

func TestRequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		link, sent, done := request(t, ctx)
		if got := <-done; !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("got %v", got.err)
		}
		link.Send("<iq type='result' id='" + sent.Get("id") + "' from='u@example.org/r' to='push.example.org'/>")
		link.Alive(t)
	})
}

func TestRequestFromAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := start(t, func(c *component.Config) { c.Workers = 1 }, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("relay"), component.Sync(func(ctx context.Context, _ component.IQ) component.Answer {
				answer, err := c.Request(ctx, ask("u@example.org/r"))
				if err != nil {
					t.Error(err)
				}
				return component.Result(*answer.First())
			}))
		})
		link.Send(iq("set", "x", "a@b", "relay"))
		sent := link.Next(t)
		link.Send("<iq type='result' id='" + sent.Get("id") + "' from='u@example.org/r' to='push.example.org'><answer xmlns='" + ns + "'/></iq>")
		if e := link.Next(t); e.Get("id") != "x" || e.Child(ns, "answer") == nil {
			t.Errorf("got %+v", e)
		}
	})
}

func TestWhatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		cfg := config(s)
		cfg.MaxRequests = 1
		c := newComponent(t, cfg)
		if err := c.Send(t.Context(), stanza.Element{Name: "message"}); !errors.Is(err, component.ErrDisconnected) {
			t.Errorf("before Run: %v", err)
		}
		if _, err := c.Request(t.Context(), ask("a@b")); !errors.Is(err, component.ErrDisconnected) {
			t.Errorf("before Run: %v", err)
		}
		link := s.Start(t, c)
		synctest.Wait()
		for what, e := range map[string]stanza.Element{
			"is not a stanza":   {Name: "stream"},
			"{urn:x}":           {Space: "urn:x", Name: "iq"},
			"which is not push": {Name: "iq", Attr: []stanza.Attr{{Name: "from", Value: "a@other.example"}}},
			"too large":         {Name: "message", Text: strings.Repeat("x", 512<<10)},
			`stanza from "@"`:   {Name: "message", Attr: []stanza.Attr{{Name: "from", Value: "@"}}},
		} {
			if err := c.Send(t.Context(), e); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("got %v, want %q", err, what)
			}
		}
		for _, e := range []stanza.Element{
			{Name: "iq", Attr: []stanza.Attr{{Name: "to", Value: "a@b"}, {Name: "type", Value: "result"}}},
			{Name: "message", Attr: []stanza.Attr{{Name: "to", Value: "a@b"}, {Name: "type", Value: "get"}}},
			ask(""), ask("@"),
		} {
			if _, err := c.Request(t.Context(), e); err == nil {
				t.Errorf("%+v was sent as a request", e)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := c.Request(ctx, ask("a@b")); done <- err }()
		link.Next(t)
		if _, err := c.Request(ctx, ask("a@b")); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("got %v", err)
		}
		cancel()
		<-done
		attrs := []stanza.Attr{{Name: "to", Value: "a@b"}}
		if err := c.Send(t.Context(), stanza.Element{Name: "message", Attr: attrs[:1:1], Text: "\x00]]>&"}); err != nil {
			t.Error(err)
		}
		if e := link.Next(t); e.Get("from") != "push.example.org" || e.Text != "\uFFFD]]>&" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestNoRandomness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		cfg := config(s)
		cfg.Rand = strings.NewReader("")
		c := newComponent(t, cfg)
		s.Start(t, c)
		if _, err := c.Request(t.Context(), ask("a@b")); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
}

func TestShutdownLetsHandlersAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c := newComponent(t, config(s))
		replies := make(chan func(component.Answer), 2)
		c.HandleIQ(xmpp.SetIQ, name("hold"), func(_ context.Context, _ component.IQ, reply func(component.Answer)) { replies <- reply })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		link := s.Accept(t)
		link.Send(iq("set", "1", "a@b", "hold"))
		synctest.Wait()
		link.Send(iq("set", "2", "c@d", "hold"))
		synctest.Wait()
		cancel()
		synctest.Wait()
		wantError(t, link.Ask(t, iq("set", "3", "e@f", "hold"), "3"), xmpp.Wait, xmpp.ServiceUnavailable)
		(<-replies)(component.Done())
		if e := link.Next(t); e.Get("id") != "1" || e.Get("type") != "result" {
			t.Errorf("got %+v", e)
		}
		// The second never answers: it is told to wait, and the stream is closed.
		began := time.Now()
		wantError(t, link.Next(t), xmpp.Wait, xmpp.ServiceUnavailable)
		<-link.Ended()
		if err := <-done; err != nil || link.Err() != io.EOF {
			t.Errorf("Run: %v, link: %v", err, link.Err())
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("took %v", d)
		}
		if c.Connected() || c.Send(t.Context(), stanza.Element{Name: "message"}) == nil {
			t.Error("sent after the end")
		}
	})
}

func TestAnswerAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c := newComponent(t, config(s))
		replies := make(chan func(component.Answer), 2)
		c.HandleIQ(xmpp.SetIQ, name("hold"), func(_ context.Context, _ component.IQ, reply func(component.Answer)) { replies <- reply })
		link := s.Start(t, c)
		link.Send(iq("set", "1", "a@b", "hold") + iq("set", "2", "a@b", "hold"))
		synctest.Wait()
		link.Drop()
		synctest.Wait()
		(<-replies)(component.Done()) // into the void
		link = s.Accept(t)
		synctest.Wait()
		(<-replies)(component.Done())
		if e := link.Next(t); e.Get("id") != "2" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestWorkersShareTheirTime(t *testing.T) { // one owner with much to do does not keep others waiting
	synctest.Test(t, func(t *testing.T) {
		link := start(t, func(c *component.Config) { c.Workers = 1 }, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("do"), component.Sync(func(context.Context, component.IQ) component.Answer {
				time.Sleep(time.Second)
				return component.Done()
			}))
		})
		for i := range 10 {
			link.Send(iq("set", fmt.Sprint("a", i), "a@b", "do"))
		}
		link.Send(iq("set", "other", "c@d", "do"))
		for place := range 11 {
			if e := link.Next(t); e.Get("id") == "other" {
				if place > 2 {
					t.Errorf("the other owner was served in place %d", place)
				}
				return
			}
		}
		t.Error("no answer")
	})
}
