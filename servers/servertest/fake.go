// Package servertest is what the tests of the server modules have in common: a
// server with clients, a Fake rouse, and the schema of what rouse is told.
package servertest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rouse/servers/lab"
)

// Element is an XML Element with everything in it.
type Element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []Element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

// Attr is the attribute of that name, or "".
func (e Element) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// Child is the first child of that name.
func (e Element) Child(name string) (Element, bool) {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c, true
		}
	}
	return Element{}, false
}

// Fields are the values of the forms in an Element. Fields without a value are none.
func (e Element) Fields() map[string]string {
	all := map[string]string{}
	for _, c := range e.Children {
		if value, ok := c.Child("value"); ok && c.XMLName.Local == "field" {
			all[c.Attr("var")] = value.Text
		}
		maps.Copy(all, c.Fields())
	}
	return all
}

func (e Element) String() string {
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

// Fake is a component that takes batches (XEP-0114), in the place of rouse or
// of a push service of others.
type Fake struct {
	t      *testing.T
	addr   string
	comp   lab.Component
	schema Schema // every batch is held to it

	mu      sync.Mutex
	conn    net.Conn
	done    chan struct{} // closed when the reading goroutine has ended
	answer  func(batch Element) string
	batches []Element
	events  []Element
	others  []Element // every other stanza
	pending map[string]chan Element
	nextID  int
	changed chan struct{}
}

// NewFake makes a component that is not connected.
func NewFake(t *testing.T, addr string, comp lab.Component) *Fake {
	f := &Fake{t: t, addr: addr, comp: comp, schema: ReadSchema(t), pending: map[string]chan Element{}, changed: make(chan struct{})}
	t.Cleanup(f.Disconnect)
	return f
}

// Connect does the handshake and starts to read.
func (f *Fake) Connect() {
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
			id = Element{Attrs: start.Attr}.Attr("id")
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
func next(d *xml.Decoder) (Element, error) {
	for {
		tok, err := d.Token()
		if err != nil {
			return Element{}, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			var e Element
			err := d.DecodeElement(&e, &tok)
			return e, err
		case xml.EndElement:
			return Element{}, io.EOF
		}
	}
}

// Disconnect is what happens when the component's process dies. It returns when
// the server has noticed, so that nothing goes to a connection that nobody reads.
func (f *Fake) Disconnect() {
	f.mu.Lock()
	conn, done := f.conn, f.done
	f.conn = nil
	f.mu.Unlock()
	if conn == nil {
		return
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		conn.Close()
	}
	select {
	case <-done: // the server has closed its end
	case <-time.After(10 * time.Second): // it is stopped, or gone
		conn.Close()
		<-done
	}
}

func (f *Fake) read(d *xml.Decoder, done chan struct{}) {
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

func (f *Fake) handle(e Element) {
	if wait := f.pending[e.Attr("id")]; wait != nil && e.Attr("type") != "set" && e.Attr("type") != "get" {
		delete(f.pending, e.Attr("id"))
		wait <- e
		return
	}
	batch, ok := e.Child("events")
	if !ok {
		f.others = append(f.others, e)
		if e.Attr("type") == "set" {
			f.reply(e, f.say(e))
		}
		return
	}
	if err := f.schema.Valid("events", batch); err != nil {
		f.t.Error(err)
	}
	reply := f.say(batch)
	f.batches = append(f.batches, batch)
	if reply == "" {
		f.events = append(f.events, batch.Children...)
	}
	f.reply(e, reply)
}

func (f *Fake) say(e Element) string {
	if f.answer == nil {
		return ""
	}
	return f.answer(e)
}

// Raw writes XML as it is.
func (f *Fake) Raw(xml string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprint(f.conn, xml)
}

// Batches lists the batches that came, taken or not.
func (f *Fake) Batches() []Element {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.batches)
}

// Published counts the publishes that came.
func (f *Fake) Published() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.others {
		if e.Attr("type") == "set" {
			n++
		}
	}
	return n
}

// Last is the stanza that came last and is not a batch.
func (f *Fake) Last() Element {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.others[len(f.others)-1]
}

// reply answers a request: "" is a result, XML a result with that in it,
// "silence" nothing, and else an error as "type condition".
func (f *Fake) reply(e Element, how string) {
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
	fmt.Fprintf(f.conn, "<iq type='%s' to='%s' from='%s' id='%s'>%s</iq>", typ, e.Attr("from"), e.Attr("to"), e.Attr("id"), payload)
}

// Answers says how requests are answered from now on; nil: with a result.
func (f *Fake) Answers(how func(Element) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = how
}

// Ask sends a request to a host and returns the answer.
func (f *Fake) Ask(ctx context.Context, to, payload string) Element {
	f.t.Helper()
	return f.AskAs(ctx, "set", to, payload)
}

// AskAs is Ask with a request of that type, "get" or "set".
func (f *Fake) AskAs(ctx context.Context, kind, to, payload string) Element {
	f.t.Helper()
	wait := make(chan Element, 1)
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
		return Element{}
	}
}

// Cursor reads the events of a fake one after another.
type Cursor struct {
	f   *Fake
	pos int
}

// Mark is a Cursor that begins with what comes from now on.
func (f *Fake) Mark() *Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &Cursor{f: f, pos: len(f.events)}
}

// ErrNone says that nothing that fits has come in time.
var ErrNone = errors.New("no such event")

// Find goes forward to the first event that fits and returns it and the ones it passed.
func (c *Cursor) Find(ctx context.Context, fits func(Element) bool) (found Element, passed []Element, err error) {
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
			return Element{}, passed, ErrNone
		}
	}
}

// AwaitOther returns the first stanza that is not a batch and fits.
func (f *Fake) AwaitOther(ctx context.Context, fits func(Element) bool) (Element, error) {
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
			return Element{}, ErrNone
		}
	}
}
