package prosody_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"rouse/servers/lab"
)

// element is an XML element with everything in it.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

func (e element) child(name string) (element, bool) {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c, true
		}
	}
	return element{}, false
}

func (e element) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%s", e.XMLName.Local)
	for _, a := range e.Attrs {
		if a.Name.Local != "xmlns" && a.Name.Local != "t" {
			fmt.Fprintf(&b, " %s='%s'", a.Name.Local, a.Value)
		}
	}
	b.WriteString(">")
	for _, c := range e.Children {
		b.WriteString(c.String())
	}
	return b.String()
}

// fake is a component that takes batches (XEP-0114), in the place of rouse or
// of a push service of others.
type fake struct {
	t      *testing.T
	addr   string
	comp   lab.Component
	schema schema // every batch is held to it

	mu      sync.Mutex
	conn    net.Conn
	done    chan struct{} // closed when the reading goroutine has ended
	answer  func(batch element) string
	batches []element
	events  []element
	others  []element // every other stanza
	pending map[string]chan element
	nextID  int
	changed chan struct{}
}

// newFake makes a component that is not connected.
func newFake(t *testing.T, addr string, comp lab.Component) *fake {
	f := &fake{t: t, addr: addr, comp: comp, schema: readSchema(t), pending: map[string]chan element{}, changed: make(chan struct{})}
	t.Cleanup(f.disconnect)
	return f
}

// connect does the handshake and starts to read.
func (f *fake) connect() {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	fmt.Fprintf(conn, "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='%s'>", f.comp.JID)
	d := xml.NewDecoder(conn)
	var id string
	for id == "" {
		tok, err := d.Token()
		if err != nil {
			f.t.Fatal(err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			id = element{Attrs: start.Attr}.attr("id")
		}
	}
	sum := sha1.Sum([]byte(id + f.comp.Secret))
	fmt.Fprintf(conn, "<handshake>%s</handshake>", hex.EncodeToString(sum[:]))
	first, err := next(d)
	if err != nil || first.XMLName.Local != "handshake" {
		f.t.Fatalf("handshake: %v %v", first, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn, f.done = conn, make(chan struct{})
	go f.read(d, f.done)
}

// next reads one stanza.
func next(d *xml.Decoder) (element, error) {
	for {
		tok, err := d.Token()
		if err != nil {
			return element{}, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			var e element
			err := d.DecodeElement(&e, &tok)
			return e, err
		case xml.EndElement:
			return element{}, io.EOF
		}
	}
}

// disconnect is what happens when the component's process dies.
func (f *fake) disconnect() {
	f.mu.Lock()
	conn, done := f.conn, f.done
	f.conn = nil
	f.mu.Unlock()
	if conn != nil {
		conn.Close()
		<-done
	}
}

func (f *fake) read(d *xml.Decoder, done chan struct{}) {
	defer close(done)
	for {
		e, err := next(d)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.handle(e)
		close(f.changed)
		f.changed = make(chan struct{})
		f.mu.Unlock()
	}
}

func (f *fake) handle(e element) {
	if wait := f.pending[e.attr("id")]; wait != nil && e.attr("type") != "set" && e.attr("type") != "get" {
		delete(f.pending, e.attr("id"))
		wait <- e
		return
	}
	batch, ok := e.child("events")
	if !ok {
		f.others = append(f.others, e)
		if e.attr("type") == "set" {
			f.reply(e, f.say(e))
		}
		return
	}
	if err := f.schema.valid("events", batch); err != nil {
		f.t.Error(err)
	}
	reply := f.say(batch)
	f.batches = append(f.batches, batch)
	if reply == "" {
		f.events = append(f.events, batch.Children...)
	}
	f.reply(e, reply)
}

func (f *fake) say(e element) string {
	if f.answer == nil {
		return ""
	}
	return f.answer(e)
}

// reply answers a request: "" is a result, XML a result with that in it,
// "silence" nothing, and else an error as "type condition".
func (f *fake) reply(e element, how string) {
	if how == "silence" || f.conn == nil {
		return
	}
	typ, payload := "result", ""
	if strings.HasPrefix(how, "<") {
		payload = how
	} else if kind, condition, ok := strings.Cut(how, " "); ok {
		typ = "error"
		payload = fmt.Sprintf("<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", kind, condition)
	}
	fmt.Fprintf(f.conn, "<iq type='%s' to='%s' from='%s' id='%s'>%s</iq>", typ, e.attr("from"), e.attr("to"), e.attr("id"), payload)
}

// answers says how requests are answered from now on; nil: with a result.
func (f *fake) answers(how func(element) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = how
}

// ask sends a request to a host and returns the answer.
func (f *fake) ask(ctx context.Context, to, payload string) element {
	f.t.Helper()
	return f.askAs(ctx, "set", to, payload)
}

func (f *fake) askAs(ctx context.Context, kind, to, payload string) element {
	f.t.Helper()
	wait := make(chan element, 1)
	f.mu.Lock()
	f.nextID++
	id := fmt.Sprintf("ask-%d", f.nextID)
	f.pending[id] = wait
	fmt.Fprintf(f.conn, "<iq type='%s' from='%s' to='%s' id='%s'>%s</iq>", kind, f.comp.JID, to, id, payload)
	f.mu.Unlock()
	select {
	case e := <-wait:
		return e
	case <-ctx.Done():
		f.t.Fatalf("no answer to %s", payload)
		return element{}
	}
}

// cursor reads the events of a fake one after another.
type cursor struct {
	f   *fake
	pos int
}

// mark is a cursor that begins with what comes from now on.
func (f *fake) mark() *cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &cursor{f: f, pos: len(f.events)}
}

var errNone = errors.New("no such event")

// find goes forward to the first event that fits and returns it and the ones it passed.
func (c *cursor) find(ctx context.Context, fits func(element) bool) (found element, passed []element, err error) {
	for {
		c.f.mu.Lock()
		events, changed := c.f.events, c.f.changed
		c.f.mu.Unlock()
		for ; c.pos < len(events); c.pos++ {
			if fits(events[c.pos]) {
				c.pos++
				return events[c.pos-1], passed, nil
			}
			passed = append(passed, events[c.pos])
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return element{}, passed, errNone
		}
	}
}

// awaitOther returns the first stanza that is not a batch and fits.
func (f *fake) awaitOther(ctx context.Context, fits func(element) bool) (element, error) {
	for {
		f.mu.Lock()
		others, changed := f.others, f.changed
		f.mu.Unlock()
		for _, e := range others {
			if fits(e) {
				return e, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return element{}, errNone
		}
	}
}
