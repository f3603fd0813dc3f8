package stanza

import (
	"encoding/xml"
	"io"
	"reflect"
	"strings"
	"testing"

	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"
)

func TestAppendElement(t *testing.T) {
	for want, e := range map[string]Element{
		"<iq/>":                {Name: "iq"},
		"<iq type='get'></iq>": {Space: NSClient, Name: "iq", Attr: []Attr{{"", "type", "get"}}, Text: ""},
		"<iq><a xmlns='u'><b/><c xmlns='v'/></a></iq>": {Space: NSAccept, Name: "iq", Children: []Element{
			{Space: "u", Name: "a", Children: []Element{{Space: "u", Name: "b"}, {Space: "v", Name: "c"}}},
		}},
		"<iq><a xmlns='u'><message xmlns='jabber:client'><body>x</body></message></a></iq>": {Name: "iq", Children: []Element{
			{Space: "u", Name: "a", Children: []Element{{Space: NSAccept, Name: "message", Children: []Element{{Space: NSClient, Name: "body", Text: "x"}}}}},
		}},
		"<a b='&lt;&amp;&apos;\"&gt;&#10;&#9;&#13;'>&lt;&amp;'\"&gt;\n\t&#13;</a>": {Name: "a", Attr: []Attr{{"", "b", "<&'\">\n\t\r"}}, Text: "<&'\">\n\t\r"},
		"<a xml:lang='de' xmlns:a1='u' a1:x='1'/>":                                 {Name: "a", Attr: []Attr{{NSXML, "lang", "de"}, {"u", "x", "1"}}},
		"<a>x<b/></a>": {Name: "a", Text: "x", Children: []Element{{Name: "b"}}},
	} {
		want = strings.Replace(want, "'get'></iq>", "'get'/>", 1)
		if got := string(AppendElement(nil, e)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestElement(t *testing.T) {
	e := Element{Space: "u", Name: "a", Attr: []Attr{{"v", "x", "no"}, {"", "x", "yes"}}, Children: []Element{
		{Space: "v", Name: "b", Text: "no"}, {Space: "u", Name: "b", Text: "yes"},
	}}
	if !e.Is("u", "a") || e.Is("", "a") || e.Is("u", "b") {
		t.Error("Is")
	}
	if _, ok := e.Lookup("y"); ok || e.Get("x") != "yes" || e.Get("y") != "" {
		t.Error("Get")
	}
	if e.ChildText("u", "b") != "yes" || e.ChildText("u", "c") != "" || e.Child("", "b") != nil || e.First().Text != "no" || e.First().First() != nil {
		t.Error("Child")
	}
	e.Set("x", "1")
	e.Set("y", "2")
	if want := []Attr{{"v", "x", "no"}, {"", "x", "1"}, {"", "y", "2"}}; !reflect.DeepEqual(e.Attr, want) {
		t.Errorf("Set: %+v", e.Attr)
	}
}

func TestErrorElement(t *testing.T) {
	for want, err := range map[string]xmpp.Error{
		"<error type='wait'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>": {Type: xmpp.Wait, Condition: xmpp.ServiceUnavailable},
		"<error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>":             {},
		"<error type='auth' by='a.example'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error>": {
			Type: xmpp.Auth, Condition: xmpp.Forbidden, By: jid.MustParse("a.example"), Text: map[string]string{"": "no"},
		},
	} {
		e := ErrorElement(err)
		if got := string(AppendElement(nil, e)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		// mellium reads it, and writes what we read.
		var theirs xmpp.Error
		if bad := xml.NewTokenDecoder(TokenReader(e)).Decode(&theirs); bad != nil || theirs.Type != err.Type {
			t.Errorf("mellium read %+v, %v", theirs, bad)
		}
		tokens, bad := FromTokens(err.TokenReader())
		if bad != nil {
			t.Fatal(bad)
		}
		tokens.Space = NSClient
		got := ErrorOf(&Element{Name: "iq", Children: []Element{tokens}})
		if err.Condition != "" && (got.Type != err.Type || got.Condition != err.Condition || got.Text[""] != err.Text[""] || !got.By.Equal(err.By)) {
			t.Errorf("got %+v, want %+v", got, err)
		}
	}
	if got := ErrorOf(&Element{Name: "iq"}); got.Type != xmpp.Cancel || got.Condition != xmpp.UndefinedCondition {
		t.Errorf("an error without error: %+v", got)
	}
}

func TestTokens(t *testing.T) {
	e := Element{Space: "u", Name: "a", Attr: []Attr{{"", "x", "1"}, {NSXML, "lang", "de"}}, Text: "t", Children: []Element{
		{Space: "u", Name: "b", Text: "deep", Children: []Element{{Space: "v", Name: "c"}}}, {Space: "u", Name: "d"},
	}}
	got, err := FromTokens(TokenReader(e))
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = FromTokens(xml.NewDecoder(strings.NewReader("<?x?><!-- c --> <a xmlns='u' xmlns:p='v' p:x='1'><m xmlns='jabber:component:accept'/></a>")))
	want := Element{Space: "u", Name: "a", Attr: []Attr{{"v", "x", "1"}}, Children: []Element{{Space: NSClient, Name: "m"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = FromTokens(info.Feature{Var: "urn:x"}.TokenReader())
	if err != nil || got.Name != "feature" || got.Get("var") != "urn:x" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// list yields tokens.
type list []xml.Token

func (l *list) Token() (xml.Token, error) {
	if len(*l) == 0 {
		return nil, io.EOF
	}
	t := (*l)[0]
	*l = (*l)[1:]
	return t, nil
}

func TestFromTokensFails(t *testing.T) {
	name := xml.Name{Local: "a"}
	if _, err := FromTokens(&list{}); err != io.EOF {
		t.Errorf("nothing: %v", err)
	}
	if _, err := FromTokens(&list{xml.StartElement{Name: name}}); err != io.ErrUnexpectedEOF {
		t.Errorf("half an element: %v", err)
	}
	if _, err := FromTokens(&list{xml.EndElement{Name: name}}); err == nil || err == io.EOF {
		t.Errorf("an end: %v", err)
	}
	e, err := FromTokens(&list{xml.StartElement{Name: name, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "u"}}}, xml.CharData("x"), xml.EndElement{Name: name}})
	if err != nil || e.Space != "u" || e.Text != "x" || len(e.Attr) != 0 {
		t.Errorf("got %+v, %v", e, err)
	}
}
