package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"time"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"rouse/session"
)

const (
	stockPubsub = "http://jabber.org/protocol/pubsub"
	stockEvents = "rouse:events:0"
)

// stockForm is XEP-0004.
type stockForm struct {
	Fields []struct {
		Var   string `xml:"var,attr"`
		Value string `xml:"value"`
	} `xml:"jabber:x:data field"`
}

func (f *stockForm) value(name string) string {
	for i := range f.Fields {
		if f.Fields[i].Var == name {
			return f.Fields[i].Value
		}
	}
	return ""
}

// stockPublish is XEP-0357 §7, as encoding/xml reads it.
type stockPublish struct {
	Node    string
	Summary stockForm
	Options stockForm
}

func (p *stockPublish) secret() string { return p.Options.value("secret") }

func (p *stockPublish) class() session.Class {
	if p.Summary.value("last-message-body") != "" {
		return session.Message
	}
	return session.Silent
}

func (s *stock) takePublish(iq stanza.IQ, t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	var in struct {
		Publish struct {
			Node string    `xml:"node,attr"`
			Form stockForm `xml:"item>notification>x"`
		} `xml:"publish"`
		Options stockForm `xml:"publish-options>x"`
	}
	if err := stockDecode(&in, t, start); err != nil {
		return err
	}
	err := s.publish(iq.From.String(), &stockPublish{in.Publish.Node, in.Publish.Form, in.Options})
	return s.answer(iq, t, err)
}

func (s *stock) takeBatch(iq stanza.IQ, t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	var in struct {
		Epoch  uint64 `xml:"epoch,attr"`
		Seq    uint64 `xml:"seq,attr"`
		Queued []struct {
			User  string `xml:"user,attr"`
			SID   string `xml:"sid,attr"`
			N     uint64 `xml:"n,attr"`
			T     int64  `xml:"t,attr"`
			Out   uint64 `xml:"out,attr"`
			Class string `xml:"class,attr"`
			Key   string `xml:"key,attr"`
		} `xml:"queued"`
	}
	if err := stockDecode(&in, t, start); err != nil {
		return err
	}
	r, err := s.db.Reporter(s.ctx, iq.From.String())
	for _, q := range in.Queued {
		if err != nil {
			break
		}
		var class session.Class
		var who jid.JID
		if class, err = session.ParseClass(q.Class); err != nil {
			break
		}
		if who, err = jid.New(q.User, iq.From.Domainpart(), ""); err != nil {
			break
		}
		err = s.event(who.String(), session.Event{
			Kind: session.Queue, Account: who.String(), Session: q.SID, Epoch: in.Epoch, N: q.N,
			At: time.UnixMilli(q.T), Class: class, Key: q.Key, Out: q.Out,
		})
	}
	if err == nil {
		before := r
		r.Epoch, r.Seq = in.Epoch, in.Seq
		err = s.db.SetReporter(s.ctx, before, r)
	}
	return s.answer(iq, t, err)
}

func stockDecode(into any, t xml.TokenReader, start *xml.StartElement) error {
	d := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), t))
	if err := d.Decode(into); err != nil && err != io.EOF {
		return err
	}
	return nil
}

func (s *stock) answer(iq stanza.IQ, t xmlstream.TokenReadEncoder, failed error) error {
	reply := iq.Result(nil)
	if failed != nil {
		s.complain("not taken", failed)
		reply = iq.Error(stanza.Error{Type: stanza.Wait, Condition: stanza.InternalServerError})
	}
	_, err := xmlstream.Copy(t, reply)
	return err
}

// woken tells the server of a woken session (docs/events.md), and waits for its answer.
func (s *stock) woken(host, user, sid string) error {
	ctx, cancel := context.WithTimeout(s.ctx, 15*time.Second)
	defer cancel()
	to, err := jid.Parse(host)
	if err != nil {
		return err
	}
	about := xml.StartElement{Name: xml.Name{Space: stockEvents, Local: "session"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "user"}, Value: user}, {Name: xml.Name{Local: "sid"}, Value: sid},
	}}
	body := xmlstream.Wrap(xmlstream.Wrap(nil, about), xml.StartElement{Name: xml.Name{Space: stockEvents, Local: "woken"}})
	answer, err := s.xmpp.SendIQElement(ctx, body, stanza.IQ{Type: stanza.SetIQ, From: s.self, To: to})
	if err != nil {
		return fmt.Errorf("woken: %w", err)
	}
	return answer.Close()
}
