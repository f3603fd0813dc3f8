package forms

import (
	"encoding/xml"
	"reflect"
	"strings"
	"testing"

	"mellium.im/xmpp/form"

	"rouse/component/stanza"
)

// element reads one element, as it comes in a stanza.
func element(t *testing.T, s string) *stanza.Element {
	t.Helper()
	e, ok := readElement(s)
	if !ok {
		t.Fatalf("not an element: %s", s)
	}
	return e
}

func readElement(s string) (*stanza.Element, bool) {
	r := stanza.NewReader(strings.NewReader("<stream:stream xmlns='"+stanza.NSClient+"' xmlns:stream='"+stanza.NSStream+"'><iq>"+s+"</iq>"), stanza.Limits{})
	if _, err := r.ReadHeader(); err != nil {
		return nil, false
	}
	e, err := r.Next()
	if err != nil || e.First() == nil {
		return nil, false
	}
	return &e, true
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want Form
	}{
		"submitted": {
			"<x xmlns='jabber:x:data' type='submit'><field var='token'><value>T</value></field><field var='empty'><value/></field><field var='none'/></x>",
			Form{Type: "submit", Fields: []Field{{Var: "token", Values: []string{"T"}}, {Var: "empty", Values: []string{""}}, {Var: "none"}}},
		},
		"typed, with several values": {
			"<x xmlns='jabber:x:data'><title>x</title><field type='list-multi' var='a' label='A'><desc/><value>1</value><value>2</value><option><value>3</value></option></field></x>",
			Form{Fields: []Field{{Var: "a", Type: "list-multi", Values: []string{"1", "2"}}}},
		},
		"foreign elements": {
			"<x xmlns='jabber:x:data' type='form'><field xmlns='urn:x' var='a'/><field var='b'><value xmlns='urn:x'>1</value></field>text</x>",
			Form{Type: "form", Fields: []Field{{Var: "b"}}},
		},
		"a field without name": {"<x xmlns='jabber:x:data'><field type='fixed'><value>hello</value></field></x>", Form{Fields: []Field{{Type: "fixed", Values: []string{"hello"}}}}},
		"empty":                {"<x xmlns='jabber:x:data'/>", Form{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Of(element(t, tt.in))
			if !ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	if _, ok := Of(element(t, "<x xmlns='urn:x'/>")); ok {
		t.Error("any x is a form")
	}
}

func TestGet(t *testing.T) {
	f := Form{Fields: []Field{{Var: "none"}, {Var: "a", Values: []string{"1", "2"}}, {Var: "a", Values: []string{"3"}}}}
	if f.Get("a") != "1" || f.Get("none") != "" || f.Get("missing") != "" || len(f.Values("a")) != 2 {
		t.Errorf("got %q, %q, %q, %q", f.Get("a"), f.Get("none"), f.Get("missing"), f.Values("a"))
	}
}

func TestElementByteForByte(t *testing.T) {
	f := Form{Type: "form", Fields: []Field{Text("jid", "jid-single", "push.example.org"), Text("node", "text-single", "n"), {Var: "none"}}}
	const want = "<x xmlns='jabber:x:data' type='form'><field var='jid' type='jid-single'><value>push.example.org</value></field>" +
		"<field var='node' type='text-single'><value>n</value></field><field var='none'/></x>"
	if got := string(stanza.AppendElement(nil, f.Element())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMelliumReadsOurForms(t *testing.T) {
	f := Form{Type: "result", Fields: []Field{Text("node", "text-single", "n&1")}}
	var d form.Data
	if err := xml.NewTokenDecoder(stanza.TokenReader(f.Element())).Decode(&d); err != nil {
		t.Fatal(err)
	}
	if v, ok := d.GetString("node"); !ok || v != "n&1" {
		t.Errorf("got %q, %v", v, ok)
	}
}

func TestWeReadMelliumsForms(t *testing.T) {
	d := form.New(form.Text("token"), form.Hidden("FORM_TYPE", form.Value("urn:x")))
	if ok, err := d.Set("token", "T"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	tokens, _ := d.Submit()
	e, err := stanza.FromTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if f := Parse(&e); f.Type != "submit" || f.Get("token") != "T" || f.Get(FormType) != "urn:x" {
		t.Errorf("got %+v", f)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field><field/></x>")
	f.Add("<x xmlns='jabber:x:data'><field var='a' type='b'><value/><value>&amp;</value></field></x>")
	f.Add("<x xmlns='jabber:x:data'>text<x/></x>")
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := readElement(s)
		if !ok {
			return
		}
		form, ok := Of(e)
		if !ok {
			return
		}
		again, ok := readElement(string(stanza.AppendElement(nil, form.Element())))
		if !ok {
			t.Fatalf("%+v is written ill-formed", form)
		}
		if got, _ := Of(again); !reflect.DeepEqual(got, form) {
			t.Errorf("%+v came back as %+v", form, got)
		}
	})
}
