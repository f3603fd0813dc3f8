package stanza

import (
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"
)

// StreamError is what a peer says before it ends the stream (RFC 6120 §4.9).
type StreamError struct {
	Condition string // as in §4.9.3, "conflict" for one; "undefined-condition" if the peer gave none
	Text      string
}

func (e *StreamError) Error() string {
	if e.Text == "" {
		return "the server ended the stream: " + e.Condition
	}
	return "the server ended the stream: " + e.Condition + ": " + e.Text
}

func streamError(e *Element) *StreamError {
	se := &StreamError{Condition: "undefined-condition"}
	for i := range e.Children {
		switch c := &e.Children[i]; {
		case c.Space != nsStreamErrors:
		case c.Name == "text":
			se.Text = c.Text
		default:
			se.Condition = c.Name
		}
	}
	return se
}

// ErrorElement returns the error child of a stanza (RFC 6120 §8.3.2). Only the
// text without language is written.
func ErrorElement(err xmpp.Error) Element {
	condition := err.Condition
	if condition == "" {
		condition = xmpp.UndefinedCondition
	}
	e := Element{Space: NSClient, Name: "error", Children: []Element{{Space: nsStanzaErrors, Name: string(condition)}}}
	if err.Type != "" {
		e.Set("type", string(err.Type))
	}
	if by := err.By.String(); by != "" {
		e.Set("by", by)
	}
	if text := err.Text[""]; text != "" {
		e.Children = append(e.Children, Element{Space: nsStanzaErrors, Name: "text", Text: text})
	}
	return e
}

// ErrorOf returns the error that a stanza of type error carries. What the
// sender left out is cancel and undefined-condition.
func ErrorOf(e *Element) xmpp.Error {
	err := xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.UndefinedCondition}
	child := e.Child(NSClient, "error")
	if child == nil {
		return err
	}
	if t := child.Get("type"); t != "" {
		err.Type = xmpp.ErrorType(t)
	}
	if by, bad := jid.Parse(child.Get("by")); bad == nil {
		err.By = by
	}
	for i := range child.Children {
		switch c := &child.Children[i]; {
		case c.Space != nsStanzaErrors:
		case c.Name == "text":
			if err.Text == nil {
				err.Text = make(map[string]string)
			}
			err.Text[c.lang()] = c.Text
		default:
			err.Condition = xmpp.Condition(c.Name)
		}
	}
	return err
}

func (e *Element) lang() string {
	for _, a := range e.Attr {
		if a.Space == NSXML && a.Name == "lang" {
			return a.Value
		}
	}
	return ""
}
