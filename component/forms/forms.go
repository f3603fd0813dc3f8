package forms

import "rouse/component/stanza"

// NS is the namespace of XEP-0004, and its feature.
const NS = "jabber:x:data"

// FormType is the field that names what a form is about (XEP-0068).
const FormType = "FORM_TYPE"

// Form is a form. Type is "form", "submit", "result" or "cancel"; a form read
// may lack it.
type Form struct {
	Type         string
	Title        string   // for people; not read
	Instructions []string // a paragraph each; not read
	Fields       []Field
}

// Field is a field of a form. Type may be empty, and Values too: a field
// without a value is not one with an empty value.
type Field struct {
	Var, Type string
	Label     string // for people; not read
	Values    []string
	Options   []Option // of a list; not read
}

// Option is one that a list has.
type Option struct{ Label, Value string }

// Text returns a field with one value.
func Text(name, typ, value string) Field {
	return Field{Var: name, Type: typ, Values: []string{value}}
}

// Of returns the first form below an element, and whether there is one.
func Of(parent *stanza.Element) (Form, bool) {
	x := parent.Child(NS, "x")
	if x == nil {
		return Form{}, false
	}
	return Parse(x), true
}

// Parse reads the form that x is. What is not understood is passed over.
func Parse(x *stanza.Element) Form {
	f := Form{Type: x.Get("type")}
	for i := range x.Children {
		c := &x.Children[i]
		if !c.Is(NS, "field") {
			continue
		}
		field := Field{Var: c.Get("var"), Type: c.Get("type")}
		for j := range c.Children {
			if v := &c.Children[j]; v.Is(NS, "value") {
				field.Values = append(field.Values, v.Text)
			}
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}

// Values returns the values of the first field of that name.
func (f Form) Values(name string) []string {
	for _, field := range f.Fields {
		if field.Var == name {
			return field.Values
		}
	}
	return nil
}

// Get returns the first value of the first field of that name, or "".
func (f Form) Get(name string) string {
	if v := f.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Element returns the form as it is sent.
func (f Form) Element() stanza.Element {
	x := stanza.Element{Space: NS, Name: "x", Attr: []stanza.Attr{{Name: "type", Value: f.Type}}}
	text := func(name, what string) stanza.Element { return stanza.Element{Space: NS, Name: name, Text: what} }
	if f.Title != "" {
		x.Children = append(x.Children, text("title", f.Title))
	}
	for _, p := range f.Instructions {
		x.Children = append(x.Children, text("instructions", p))
	}
	for _, field := range f.Fields {
		e := stanza.Element{Space: NS, Name: "field", Attr: []stanza.Attr{{Name: "var", Value: field.Var}}}
		if field.Type != "" {
			e.Attr = append(e.Attr, stanza.Attr{Name: "type", Value: field.Type})
		}
		if field.Label != "" {
			e.Attr = append(e.Attr, stanza.Attr{Name: "label", Value: field.Label})
		}
		for _, o := range field.Options {
			e.Children = append(e.Children, stanza.Element{Space: NS, Name: "option", Attr: []stanza.Attr{{Name: "label", Value: o.Label}}, Children: []stanza.Element{text("value", o.Value)}})
		}
		for _, v := range field.Values {
			e.Children = append(e.Children, stanza.Element{Space: NS, Name: "value", Text: v})
		}
		x.Children = append(x.Children, e)
	}
	return x
}
