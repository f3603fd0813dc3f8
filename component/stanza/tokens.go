package stanza

import (
	"encoding/xml"
	"errors"
	"io"
)

// TokenReader returns e as the tokens that mellium's types read, namespaces
// resolved and without namespace declarations.
func TokenReader(e Element) xml.TokenReader { return &tokens{todo: []step{{el: &e}}} }

type tokens struct{ todo []step }

// step is an element to begin, or one whose text or end is due.
type step struct {
	el   *Element
	kind stepKind
}

type stepKind uint8

const (
	beginElement stepKind = iota
	textOf
	endElement
)

func (t *tokens) Token() (xml.Token, error) {
	if len(t.todo) == 0 {
		return nil, io.EOF
	}
	s := t.todo[len(t.todo)-1]
	t.todo = t.todo[:len(t.todo)-1]
	name := xml.Name{Space: s.el.Space, Local: s.el.Name}
	switch s.kind {
	case textOf:
		return xml.CharData(s.el.Text), nil
	case endElement:
		return xml.EndElement{Name: name}, nil
	}
	t.todo = append(t.todo, step{s.el, endElement})
	for i := len(s.el.Children) - 1; i >= 0; i-- {
		t.todo = append(t.todo, step{el: &s.el.Children[i]})
	}
	if s.el.Text != "" {
		t.todo = append(t.todo, step{s.el, textOf})
	}
	start := xml.StartElement{Name: name, Attr: make([]xml.Attr, len(s.el.Attr))}
	for i, a := range s.el.Attr {
		start.Attr[i] = xml.Attr{Name: xml.Name{Space: a.Space, Local: a.Name}, Value: a.Value}
	}
	return start, nil
}

// FromTokens reads one element, as mellium's types write it: an element
// without namespace is in its parent's. It returns io.EOF if there is none and
// io.ErrUnexpectedEOF if it does not end.
func FromTokens(r xml.TokenReader) (Element, error) {
	var open []Element
	for {
		tok, err := r.Token()
		switch t := tok.(type) {
		case xml.StartElement:
			e := elementOf(t)
			if e.Space == "" && len(open) > 0 {
				e.Space = open[len(open)-1].Space
			}
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(t)
			}
		case xml.EndElement:
			if len(open) == 0 {
				return Element{}, errors.New("stanza: end of an element that did not begin")
			}
			e := open[len(open)-1]
			if open = open[:len(open)-1]; len(open) == 0 {
				return e, nil
			}
			up := &open[len(open)-1]
			up.Children = append(up.Children, e)
		}
		if err == io.EOF && len(open) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return Element{}, err
		}
	}
}

func elementOf(start xml.StartElement) Element {
	e := Element{Space: start.Name.Space, Name: start.Name.Local}
	if e.Space == NSAccept {
		e.Space = NSClient
	}
	for _, a := range start.Attr {
		switch {
		case a.Name.Space == "xmlns":
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			if e.Space == "" {
				e.Space = a.Value
			}
		default:
			e.Attr = append(e.Attr, Attr{Space: a.Name.Space, Name: a.Name.Local, Value: a.Value})
		}
	}
	return e
}
