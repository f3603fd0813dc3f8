package component_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
)

const ns = "urn:example:test"

func name(local string) xml.Name { return xml.Name{Space: ns, Local: local} }

// iq returns an IQ to the component with a payload of our namespace.
func iq(typ, id, from, payload string) string {
	return fmt.Sprintf("<iq type='%s' id='%s' from='%s' to='push.example.org'><%s xmlns='%s'/></iq>", typ, id, from, payload, ns)
}

// start runs a component that answers <ok/>.
func start(t *testing.T, cfg func(*component.Config), more func(*component.Component)) *componenttest.Link {
	t.Helper()
	s := componenttest.NewPipe(t, componenttest.Options{})
	c := config(s)
	if cfg != nil {
		cfg(&c)
	}
	comp := newComponent(t, c)
	comp.HandleIQ(xmpp.GetIQ, name("ok"), component.Sync(func(context.Context, component.IQ) component.Answer {
		return component.Result(stanza.Element{Space: ns, Name: "fine"})
	}))
	if more != nil {
		more(comp)
	}
	return s.Start(t, comp)
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		return start(t, nil, nil)
	})
}

func TestNothingThatIsWellFormedEndsTheStream(t *testing.T) {
	const deep = 100_000
	for what, raw := range map[string]string{
		"iq without payload":       "<iq type='get' id='x' from='a@b/c' to='push.example.org'/>",
		"iq with two payloads":     "<iq type='get' id='x' from='a@b/c' to='push.example.org'><a xmlns='u'/><b xmlns='u'/></iq>",
		"iq with text":             "<iq type='get' id='x' from='a@b/c' to='push.example.org'>text</iq>",
		"iq without sender":        "<iq type='get' id='x' to='push.example.org'><a xmlns='u'/></iq>",
		"iq without id":            "<iq type='get' from='a@b/c' to='push.example.org'><a xmlns='u'/></iq>",
		"iq without type":          "<iq id='x' from='a@b/c' to='push.example.org'><a xmlns='u'/></iq>",
		"iq of odd type":           "<iq type='put' id='x' from='a@b/c' to='push.example.org'><a xmlns='u'/></iq>",
		"iq without anything":      "<iq/>",
		"iq from no address":       "<iq type='get' id='x' from='b@d@e' to='push.example.org'><a xmlns='u'/></iq>",
		"iq from a long address":   "<iq type='get' id='x' from='" + strings.Repeat("a", 5000) + "@b' to='push.example.org'><a xmlns='u'/></iq>",
		"iq to no address":         "<iq type='get' id='x' from='a@b' to='@push.example.org'><a xmlns='u'/></iq>",
		"iq to somebody else":      "<iq type='get' id='x' from='a@b' to='other.example'><a xmlns='u'/></iq>",
		"iq to nobody":             "<iq type='get' id='x' from='a@b'><a xmlns='u'/></iq>",
		"iq to a user of ours":     "<iq type='get' id='x' from='a@b' to='u@push.example.org/r'><a xmlns='u'/></iq>",
		"result to nothing":        "<iq type='result' id='x' from='a@b' to='push.example.org'/>",
		"error to nothing":         "<iq type='error' id='x' from='a@b' to='push.example.org'/>",
		"result from nobody":       "<iq type='result'/>",
		"message":                  "<message from='a@b' to='push.example.org'><body>x</body></message>",
		"message from no address":  "<message from='b@d@e'/>",
		"error message":            "<message type='error' from='a@b' to='push.example.org'><error/></message>",
		"presence":                 "<presence from='a@b' to='push.example.org' type='subscribe'/>",
		"unknown stanza":           "<hello from='a@b'/>",
		"another handshake":        "<handshake/>",
		"features":                 "<stream:features><x xmlns='u'/></stream:features>",
		"stanza of no namespace":   "<iq xmlns='' type='get' id='x' from='a@b'/>",
		"stanza of another":        "<iq xmlns='urn:x' type='get' id='x' from='a@b'/>",
		"stanza with prefix":       "<p:iq xmlns:p='jabber:component:accept' type='get' id='x' from='a@b'><p:a/></p:iq>",
		"stanza as of a client":    "<iq xmlns='jabber:client' type='get' id='x' from='a@b'><ok xmlns='urn:x'/></iq>",
		"attributes with prefixes": "<iq xmlns:p='urn:p' p:type='get' p:id='x' p:from='a@b'><a xmlns='u'/></iq>",
		"payload without name":     "<iq type='get' id='x' from='a@b'><a xmlns=''/></iq>",
		"10 MB of text":            "<iq type='set' id='x' from='a@b' to='push.example.org'><a xmlns='u'>" + strings.Repeat("x", 10<<20) + "</a></iq>",
		"10 MB message":            "<message from='a@b'><body>" + strings.Repeat("x", 10<<20) + "</body></message>",
		"deep":                     "<iq type='set' id='x' from='a@b' to='push.example.org'>" + strings.Repeat("<a>", deep) + strings.Repeat("</a>", deep) + "</iq>",
		"wide":                     "<iq type='set' id='x' from='a@b' to='push.example.org'>" + strings.Repeat("<a/>", 50_000) + "</iq>",
		"1 MB attribute":           "<iq type='set' id='x' from='a@b' to='push.example.org'><a b='" + strings.Repeat("/>", 1<<19) + "'/></iq>",
		"1 MB id":                  "<iq type='set' id='" + strings.Repeat("x", 1<<20) + "' from='a@b' to='push.example.org'><a/></iq>",
		"long id":                  "<iq type='set' id='" + strings.Repeat("&quot;", 80_000) + "' from='a@b' to='push.example.org'><a/></iq>",
		"1000 attributes":          "<iq type='set' id='x' from='a@b' to='push.example.org'><a " + manyAttrs(1000) + "/></iq>",
		"odd characters":           "<iq type='get' id='\u202e&#10;&#9;' from='a@b/\u1F4A9' to='push.example.org'><\u00e9 xmlns='u&#10;'/></iq>",
		"white space":              strings.Repeat(" \n\t", 10000),
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := start(t, nil, nil)
				link.Send(raw)
				link.Alive(t)
				link.Send(raw)
				ok := link.Ask(t, iq("get", "still fine", "c@d", "ok"), "still fine")
				if ok.First() == nil || !ok.First().Is(ns, "fine") {
					t.Errorf("got %s", stanza.AppendElement(nil, ok))
				}
				if link.Err() != nil {
					t.Error("the link was left")
				}
			})
		})
	}
}

func manyAttrs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d='' ", i)
	}
	return b.String()
}

func TestEveryRequestIsAnswered(t *testing.T) {
	large := "<iq type='set' id='x' from='a@b' to='push.example.org'><a xmlns='u'>" + strings.Repeat("x", 600<<10) + "</a></iq>"
	for what, tt := range map[string]struct {
		raw  string
		typ  xmpp.ErrorType
		cond xmpp.Condition
	}{
		"no handler":          {iq("get", "x", "a@b", "what"), xmpp.Cancel, xmpp.ServiceUnavailable},
		"handler of get only": {iq("set", "x", "a@b", "ok"), xmpp.Cancel, xmpp.ServiceUnavailable},
		"no payload":          {"<iq type='set' id='x' from='a@b'/>", xmpp.Modify, xmpp.BadRequest},
		"odd type":            {iq("put", "x", "a@b", "ok"), xmpp.Modify, xmpp.BadRequest},
		"too large":           {large, xmpp.Wait, xmpp.PolicyViolation},
		"panic":               {iq("set", "x", "a@b", "panic"), xmpp.Wait, xmpp.InternalServerError},
		"too large an answer": {iq("set", "x", "a@b", "large"), xmpp.Wait, xmpp.InternalServerError},
		"silent handler":      {iq("set", "x", "a@b", "silent"), xmpp.Wait, xmpp.ServiceUnavailable},
		"failure":             {iq("set", "x", "a@b", "fail"), xmpp.Auth, xmpp.Forbidden},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := start(t, nil, func(c *component.Component) {
					c.HandleIQ(xmpp.SetIQ, name("panic"), func(context.Context, component.IQ, func(component.Answer)) { panic("oh") })
					c.HandleIQ(xmpp.SetIQ, name("silent"), func(context.Context, component.IQ, func(component.Answer)) {})
					c.HandleIQ(xmpp.SetIQ, name("large"), component.Sync(func(context.Context, component.IQ) component.Answer {
						return component.Result(stanza.Element{Space: ns, Name: "large", Text: strings.Repeat("x", 600<<10)})
					}))
					c.HandleIQ(xmpp.SetIQ, name("fail"), component.Sync(func(context.Context, component.IQ) component.Answer {
						return component.Fail(xmpp.Auth, xmpp.Forbidden, "no & never")
					}))
				})
				answer := link.Ask(t, tt.raw, "x")
				wantError(t, answer, tt.typ, tt.cond)
				if answer.Get("to") != "a@b" || answer.Get("from") != "push.example.org" {
					t.Errorf("got %s", stanza.AppendElement(nil, answer))
				}
				link.Alive(t)
			})
		})
	}
}

func TestAnswerIsGivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := start(t, nil, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("twice"), func(ctx context.Context, _ component.IQ, reply func(component.Answer)) {
				reply(component.Done())
				reply(component.Fail(xmpp.Wait, xmpp.InternalServerError, ""))
				if ctx.Err() == nil {
					t.Error("the context outlives the answer")
				}
				panic("after the answer")
			})
		})
		if e := link.Ask(t, iq("set", "x", "a@b", "twice"), "x"); e.Get("type") != "result" || len(e.Children) != 0 {
			t.Errorf("got %+v", e)
		}
		time.Sleep(2 * time.Minute)
		if link.Heard() {
			t.Error("a second answer was sent")
		}
	})
}

func TestSlowHandlersStallNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		link := start(t, nil, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("slow"), component.Sync(func(context.Context, component.IQ) component.Answer {
				<-release
				return component.Done()
			}))
		})
		for i := range 63 { // of 64 workers
			link.Send(iq("set", fmt.Sprint(i), fmt.Sprintf("u%d@b", i), "slow"))
		}
		link.Alive(t)
		close(release)
		for range 63 {
			if e := link.Next(t); e.Get("type") != "result" {
				t.Errorf("got %+v", e)
			}
		}
	})
}

func TestOwnersWaitForThemselvesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		link := start(t, nil, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("do"), component.Sync(func(_ context.Context, iq component.IQ) component.Answer {
				if iq.ID == "1" {
					<-first
				}
				return component.Done()
			}))
		})
		link.Send(iq("set", "1", "a@b/x", "do") + iq("set", "2", "a@b/y", "do") + iq("set", "3", "c@b", "do"))
		if e := link.Next(t); e.Get("id") != "3" {
			t.Errorf("%s was answered first", e.Get("id"))
		}
		synctest.Wait()
		if link.Heard() {
			t.Error("the second was answered before the first of the same owner")
		}
		close(first)
		for _, want := range []string{"1", "2"} {
			if e := link.Next(t); e.Get("id") != want {
				t.Errorf("got %s, want %s", e.Get("id"), want)
			}
		}
	})
}

// Handlers that wait for a commit hold no worker: many of one owner wait at a
// time, and one commit answers them all.
func TestAnswersMayComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replies := make(chan func(component.Answer), 64)
		link := start(t, func(c *component.Config) { c.Workers = 1 }, func(c *component.Component) {
			c.HandleIQ(xmpp.SetIQ, name("commit"), func(_ context.Context, _ component.IQ, reply func(component.Answer)) { replies <- reply })
		})
		for i := range 64 {
			link.Send(iq("set", fmt.Sprint(i), "example.org", "commit"))
		}
		synctest.Wait()
		if len(replies) != 64 {
			t.Fatalf("%d are under way", len(replies))
		}
		for range 64 {
			(<-replies)(component.Done())
		}
		for range 64 {
			if e := link.Next(t); e.Get("type") != "result" {
				t.Errorf("got %+v", e)
			}
		}
	})
}

func TestTooMuchIsToldToWait(t *testing.T) {
	for what, limit := range map[string]func(*component.Config){
		"in all":    func(c *component.Config) { c.MaxUnanswered = 3 },
		"per owner": func(c *component.Config) { c.MaxPerOwner = 3 },
		"bytes":     func(c *component.Config) { c.MaxHeld = 3 * len(iq("set", "0", "a@b", "hold")) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				replies := make(chan func(component.Answer), 9)
				link := start(t, limit, func(c *component.Component) {
					c.HandleIQ(xmpp.SetIQ, name("hold"), func(_ context.Context, _ component.IQ, reply func(component.Answer)) { replies <- reply })
				})
				for i := range 3 {
					link.Send(iq("set", fmt.Sprint(i), "a@b", "hold"))
				}
				wantError(t, link.Ask(t, iq("set", "4", "a@b", "hold"), "4"), xmpp.Wait, xmpp.ServiceUnavailable)
				for range 3 {
					(<-replies)(component.Done())
					link.Next(t)
				}
				link.Send(iq("set", "5", "a@b", "hold"))
				(<-replies)(component.Done())
				if e := link.Next(t); e.Get("id") != "5" || e.Get("type") != "result" {
					t.Errorf("got %+v", e)
				}
			})
		})
	}
}

func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan component.Message, 4)
		link := start(t, nil, func(c *component.Component) {
			c.HandleMessage(func(_ context.Context, m component.Message) {
				if m.Type == "chat" {
					panic("no")
				}
				got <- m
			})
		})
		link.Send("<message type='chat' from='a@b'/><message type='error' from='a@b/c' to='bot@push.example.org'><body>hi</body></message>")
		m := <-got
		if m.From.String() != "a@b/c" || m.To.String() != "bot@push.example.org" || m.Type != "error" || m.Stanza.ChildText(stanza.NSClient, "body") != "hi" {
			t.Errorf("got %+v", m)
		}
		link.Alive(t)
	})
}

func TestTwoHandlersForOnePayload(t *testing.T) {
	s := componenttest.NewPipe(t, componenttest.Options{})
	c := newComponent(t, config(s))
	h := component.Sync(func(context.Context, component.IQ) component.Answer { return component.Done() })
	c.HandleIQ(xmpp.GetIQ, name("a"), h, "b", "a")
	c.HandleIQ(xmpp.SetIQ, name("a"), h, "a")
	c.HandleMessage(func(context.Context, component.Message) {}, "m")
	if got := fmt.Sprint(c.Features()); got != "[a b m]" {
		t.Errorf("features %s", got)
	}
	for what, again := range map[string]func(){
		"iq":      func() { c.HandleIQ(xmpp.GetIQ, name("a"), h) },
		"message": func() { c.HandleMessage(func(context.Context, component.Message) {}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the second handler was taken", what)
				}
			}()
			again()
		}()
	}
}
