package stanza

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// A publish as Prosody's push module sends it, and a batch of one event.
const (
	publish = `<iq type='set' from='example.org' to='push.example.org' id='7d0e1c0a5b6f4f7e9d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e'>` +
		`<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='hxGqX3b0p5uK'><item><notification xmlns='urn:xmpp:push:0'>` +
		`<x xmlns='jabber:x:data' type='form'><field type='hidden' var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>` +
		`<field type='text-single' var='message-count'><value>1</value></field>` +
		`<field type='text-single' var='last-message-body'><value>New Message!</value></field></x>` +
		`</notification></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'>` +
		`<field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>` +
		`<field var='secret'><value>p2VbXo7m0Qm1T3cBz8yR1aPq</value></field></x></publish-options></pubsub></iq>`
	event = `<iq type='set' from='example.org' to='push.example.org' id='e-000000042'>` +
		`<events xmlns='rouse:events:0' epoch='c0ffee' seq='42'><queued account='juliet@example.org' session='s1' n='17' class='message'/></events></iq>`
)

// endless repeats a stream of one stanza.
type endless struct{ head, body, rest string }

func (e *endless) Read(b []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.body
	}
	n := copy(b, e.head)
	if e.head = e.head[n:]; n == 0 {
		n = copy(b, e.rest)
		e.rest = e.rest[n:]
	}
	return n, nil
}

func BenchmarkRead(b *testing.B) {
	for _, in := range []struct{ name, body string }{{"publish", publish}, {"event", event}} {
		body := strings.Repeat(in.body, 64) // reads of many stanzas, as under load
		b.Run(in.name+"/reader", func(b *testing.B) {
			r := NewReader(&endless{head: header, body: body}, Limits{})
			if _, err := r.ReadHeader(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(in.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(in.name+"/encoding-xml", func(b *testing.B) {
			d := xml.NewDecoder(&endless{head: header, body: body})
			for {
				tok, err := d.Token()
				if err != nil {
					b.Fatal(err)
				}
				if _, ok := tok.(xml.StartElement); ok {
					break
				}
			}
			b.SetBytes(int64(len(in.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := FromTokens(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendElement(b *testing.B) {
	got, _, err := read(strings.NewReader(header+publish+"</stream:stream>"), Limits{})
	if err != io.EOF {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendElement(buf[:0], got[0])
	}
}
