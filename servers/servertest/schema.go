package servertest

import (
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// Schema is docs/events.rng as far as that uses RELAX NG: elements made of
// attributes and of references to elements, in optional, zeroOrMore and choice.
type Schema map[string]Element // definitions by name

// ReadSchema reads docs/events.rng, for tests two directories below the top.
func ReadSchema(t *testing.T) Schema {
	t.Helper()
	b, err := os.ReadFile("../../docs/events.rng")
	if err != nil {
		t.Fatal(err)
	}
	var grammar Element
	if err := xml.Unmarshal(b, &grammar); err != nil {
		t.Fatal(err)
	}
	s := Schema{}
	for _, d := range grammar.Children {
		if d.XMLName.Local == "define" {
			s[d.Attr("name")] = d.Children[0]
		}
	}
	return s
}

// Valid checks an Element against a definition.
func (s Schema) Valid(definition string, e Element) error {
	pattern, ok := s[definition]
	if !ok {
		return fmt.Errorf("the schema has no %q", definition)
	}
	attrs := map[string]bool{}
	var children []string
	if err := s.walk(pattern, true, e, attrs, &children); err != nil {
		return fmt.Errorf("<%s/>: %w in %v", definition, err, e)
	}
	for _, a := range e.Attrs {
		if a.Name.Local != "xmlns" && !attrs[a.Name.Local] {
			return fmt.Errorf("<%s/>: the schema has no attribute %s: %v", definition, a.Name.Local, e)
		}
	}
	for _, c := range e.Children {
		i := slices.IndexFunc(children, func(name string) bool { return s[name].Attr("name") == c.XMLName.Local })
		if i < 0 {
			return fmt.Errorf("<%s/>: the schema has no child %s: %v", definition, c.XMLName.Local, e)
		}
		if err := s.Valid(children[i], c); err != nil {
			return err
		}
	}
	return nil
}

func (s Schema) walk(pattern Element, required bool, e Element, attrs map[string]bool, children *[]string) error {
	for _, p := range pattern.Children {
		switch p.XMLName.Local {
		case "attribute":
			name := p.Attr("name")
			attrs[name] = true
			if !has(e, name) {
				if required {
					return fmt.Errorf("no attribute %s", name)
				}
			} else if err := value(p, e.Attr(name)); err != nil {
				return fmt.Errorf("attribute %s: %w", name, err)
			}
		case "optional", "zeroOrMore", "choice":
			if err := s.walk(p, false, e, attrs, children); err != nil {
				return err
			}
		case "ref":
			*children = append(*children, p.Attr("name"))
		case "empty":
		default:
			return fmt.Errorf("the schema uses %s, which this test cannot check", p.XMLName.Local)
		}
	}
	return nil
}

func has(e Element, name string) bool {
	return slices.ContainsFunc(e.Attrs, func(a xml.Attr) bool { return a.Name.Local == name })
}

// value checks what an attribute pattern says of its value.
func value(p Element, v string) error {
	if choice, ok := p.Child("choice"); ok {
		if !slices.ContainsFunc(choice.Children, func(c Element) bool { return c.Text == v }) {
			return fmt.Errorf("%q is none of the values", v)
		}
	}
	if data, ok := p.Child("data"); ok {
		if data.Attr("type") == "unsignedLong" {
			_, err := strconv.ParseUint(v, 10, 64)
			return err
		}
		if param, ok := data.Child("param"); ok && !regexp.MustCompile("^(?:"+param.Text+")$").MatchString(v) {
			return fmt.Errorf("%q does not fit %s", v, param.Text)
		}
	}
	return nil
}
