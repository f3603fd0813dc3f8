package prosody_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// schema reads docs/events.rng as far as that uses RELAX NG: elements made of
// attributes and of references to elements, in optional, zeroOrMore and choice.
type schema map[string]element // definitions by name

func readSchema(t *testing.T) schema {
	t.Helper()
	b, err := os.ReadFile("../../docs/events.rng")
	if err != nil {
		t.Fatal(err)
	}
	var grammar element
	if err := xml.Unmarshal(b, &grammar); err != nil {
		t.Fatal(err)
	}
	s := schema{}
	for _, d := range grammar.Children {
		if d.XMLName.Local == "define" {
			s[d.attr("name")] = d.Children[0]
		}
	}
	return s
}

// valid checks an element against a definition.
func (s schema) valid(definition string, e element) error {
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
		i := slices.IndexFunc(children, func(name string) bool { return s[name].attr("name") == c.XMLName.Local })
		if i < 0 {
			return fmt.Errorf("<%s/>: the schema has no child %s: %v", definition, c.XMLName.Local, e)
		}
		if err := s.valid(children[i], c); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) walk(pattern element, required bool, e element, attrs map[string]bool, children *[]string) error {
	for _, p := range pattern.Children {
		switch p.XMLName.Local {
		case "attribute":
			name := p.attr("name")
			attrs[name] = true
			if !has(e, name) {
				if required {
					return fmt.Errorf("no attribute %s", name)
				}
			} else if err := value(p, e.attr(name)); err != nil {
				return fmt.Errorf("attribute %s: %w", name, err)
			}
		case "optional", "zeroOrMore", "choice":
			if err := s.walk(p, false, e, attrs, children); err != nil {
				return err
			}
		case "ref":
			*children = append(*children, p.attr("name"))
		case "empty":
		default:
			return fmt.Errorf("the schema uses %s, which this test cannot check", p.XMLName.Local)
		}
	}
	return nil
}

func has(e element, name string) bool {
	return slices.ContainsFunc(e.Attrs, func(a xml.Attr) bool { return a.Name.Local == name })
}

// value checks what an attribute pattern says of its value.
func value(p element, v string) error {
	if choice, ok := p.child("choice"); ok {
		if !slices.ContainsFunc(choice.Children, func(c element) bool { return c.Text == v }) {
			return fmt.Errorf("%q is none of the values", v)
		}
	}
	if data, ok := p.child("data"); ok {
		if data.attr("type") == "unsignedLong" {
			_, err := strconv.ParseUint(v, 10, 64)
			return err
		}
		if param, ok := data.child("param"); ok && !regexp.MustCompile("^(?:"+param.Text+")$").MatchString(v) {
			return fmt.Errorf("%q does not fit %s", v, param.Text)
		}
	}
	return nil
}

// The examples of the document that the schema stands beside.
func TestSchema(t *testing.T) {
	t.Parallel()
	s := readSchema(t)
	doc, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, block := range regexp.MustCompile("(?s)```xml\n(.*?)```").FindAllSubmatch(doc, -1) {
		var stanzas element
		if err := xml.Unmarshal([]byte("<all>"+string(block[1])+"</all>"), &stanzas); err != nil {
			t.Fatalf("%v in %s", err, block[1])
		}
		for _, iq := range stanzas.Children {
			for _, payload := range iq.Children {
				checked++
				if err := s.valid(payload.XMLName.Local, payload); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("%d examples found in docs/events.md", checked)
	}
	for _, wrong := range []string{
		"<events epoch='1'/>", "<events epoch='x' seq='1'/>", "<events epoch='1' seq='1'><dance/></events>",
		"<events epoch='1' seq='1'><queued user='a' class='message'/></events>",
		"<events epoch='1' seq='1'><queued user='a' sid='b' class='rumour'/></events>",
		"<events epoch='1' seq='1'><enable user='a' service='b' secret='plain'/></events>",
		"<events epoch='1' seq='1'><bind user='a' sid='b' colour='red'/></events>",
	} {
		var e element
		if err := xml.Unmarshal([]byte(wrong), &e); err != nil {
			t.Fatal(err)
		}
		if s.valid("events", e) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}
