package stanza

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='push.example.org'>`

// read returns all that a stream holds, and what ended it.
func read(src io.Reader, lim Limits) (got []Element, large []Element, err error) {
	r := NewReader(src, lim)
	if _, err := r.ReadHeader(); err != nil {
		return nil, nil, err
	}
	for {
		e, err := r.Next()
		var tooLarge *TooLarge
		switch {
		case errors.As(err, &tooLarge):
			large = append(large, tooLarge.Header)
		case err != nil:
			return got, large, err
		default:
			got = append(got, e)
		}
	}
}

func TestReadHeader(t *testing.T) {
	for _, tt := range []struct{ name, in, reason string }{
		{"plain", header, ""},
		{"newline after the declaration", strings.Replace(header, "?>", "?>\r\n ", 1), ""},
		{"no declaration", strings.TrimPrefix(header, "<?xml version='1.0'?>"), ""},
		{"encoding", strings.Replace(header, "?>", ` encoding="UTF-8" standalone='yes' ?>`, 1), ""},
		{"another encoding", strings.Replace(header, "?>", ` encoding="latin1"?>`, 1), "processing instruction"},
		{"two declarations", "<?xml version='1.0'?>" + header, "processing instruction"},
		{"processing instruction", strings.Replace(header, "?xml", "?xslt", 1), "processing instruction"},
		{"document type", "<!DOCTYPE x>" + header, "comment or document type"},
		{"text", "HTTP/1.1 400 Bad Request\r\n", "text before the stream header"},
		{"another root", `<stream xmlns='jabber:client'>`, "the root is not a stream"},
		{"end tag", `</stream:stream>`, "no stream header"},
		{"endless declaration", "<?" + strings.Repeat("x", 300), "no end of the XML declaration"},
		{"endless header", "<a b='" + strings.Repeat("x", 2000), "stream header exceeds"},
		{"deep in attributes", "<a " + strings.Repeat("b='' ", 10), "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := NewReader(iotest.OneByteReader(strings.NewReader(tt.in)), Limits{Bytes: 1000}).ReadHeader()
			if tt.reason == "" {
				if err != nil || e.Get("id") != "s1" || e.Get("from") != "push.example.org" {
					t.Fatalf("got %+v, %v", e, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Fatalf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

func TestReadTree(t *testing.T) {
	const in = "<iq type='set'\n id=\"a&amp;&#x41;&#66;\tb\" xml:lang='de' xmlns:p='urn:p' p:x='1'>" +
		"<p:a>one<b xmlns='urn:b'/>t&lt;wo\r\n<![CDATA[<&]]>&apos;</p:a >" +
		"<body>\u00e9</body><c xmlns=''/><m xmlns='jabber:client'/></iq>"
	want := Element{
		Space: NSClient, Name: "iq",
		Attr: []Attr{{Name: "type", Value: "set"}, {Name: "id", Value: "a&AB b"}, {NSXML, "lang", "de"}, {"urn:p", "x", "1"}},
		Children: []Element{
			{Space: "urn:p", Name: "a", Text: "onet<wo\n<&'", Children: []Element{{Space: "urn:b", Name: "b"}}},
			{Space: NSClient, Name: "body", Text: "\u00e9"},
			{Name: "c"},
			{Space: NSClient, Name: "m"},
		},
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "with EOF": iotest.DataErrReader,
	} {
		got, _, err := read(wrap(strings.NewReader(header+" \n"+in+"\n"+in+"</stream:stream>")), Limits{})
		if err != io.EOF || len(got) != 2 {
			t.Fatalf("%s: %d stanzas, %v", name, len(got), err)
		}
		for _, e := range got {
			if !reflect.DeepEqual(e, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", name, e, want)
			}
		}
	}
}

func TestReadIllFormed(t *testing.T) {
	for in, reason := range map[string]string{
		"<a><!-- x --></a>":   "comment or document type",
		"<a><!DOCTYPE x></a>": "comment or document type",
		"<!-- x -->":          "comment or document type",
		"<a><?php ?></a>":     "processing instruction",
		"text":                "text between stanzas",
		"<![CDATA[x]]>":       "text between stanzas",
		"<a></b>":             "end tag does not match",
		"<a><b></a></b>":      "end tag does not match",
		"</a>":                "end tag without start tag",
		"<a x='1' x='2'/>":    "attribute given twice",
		"<a xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>": "attribute given twice",
		"<a x='1'y='2'/>":              "no white space before an attribute",
		"<a x=1/>":                     "without quotes",
		"<a x/>":                       "attribute without value",
		"<a x='<'/>":                   "< in an attribute value",
		"<a 1='x'/>":                   "not an attribute name",
		"<1/>":                         "not an element name",
		"<>":                           "not an element name",
		"<a:b:c/>":                     "not an element name",
		"<:a/>":                        "not an element name",
		"<p:a/>":                       "prefix of an element is not declared",
		"<a p:x=''/>":                  "prefix of an attribute is not declared",
		"<a xmlns:p=''/>":              "namespace declaration",
		"<a xmlns:xml='urn:x'/>":       "namespace declaration",
		"<a xmlns:xmlns='urn:x'/>":     "namespace declaration",
		"<a xmlns:p='" + NSXML + "'/>": "namespace declaration",
		"<a>&nbsp;</a>":                "unknown entity",
		"<a>&</a>":                     "unknown entity",
		"<a>&#0;</a>":                  "unknown entity",
		"<a>&#xD800;</a>":              "unknown entity",
		"<a>&#99999999999;</a>":        "unknown entity",
		"<a>&#x;</a>":                  "unknown entity",
		"<a>]]></a>":                   "]]> in text",
		"<a>\x01</a>":                  "not a character",
		"<a>\uFFFF</a>":                "not a character",
		"<a>\xff</a>":                  "not UTF-8",
		"<a>\xed\xa0\x80</a>":          "not UTF-8",
		"<a x='\x00'/>":                "not a character",
	} {
		t.Run(in, func(t *testing.T) {
			_, _, err := read(strings.NewReader(header+in+"<b/>"), Limits{})
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(syntax.Reason, reason) {
				t.Errorf("got %v, want %q", err, reason)
			}
			if syntax != nil && (syntax.Offset < int64(len(header)) || syntax.Offset > int64(len(header+in))) {
				t.Errorf("offset %d is outside of the stanza", syntax.Offset)
			}
		})
	}
}

func TestReadEnds(t *testing.T) {
	for in, want := range map[string]error{
		"</stream:stream>":  io.EOF,
		"</stream:stream >": io.EOF,
		"":                  io.ErrUnexpectedEOF,
		"<a":                io.ErrUnexpectedEOF,
		"<a>":               io.ErrUnexpectedEOF,
	} {
		r := NewReader(strings.NewReader(header+in), Limits{})
		if _, err := r.ReadHeader(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := r.Next(); err != want {
				t.Errorf("%q: got %v, want %v", in, err, want)
			}
		}
	}
	_, _, err := read(strings.NewReader(strings.Replace(header, "'>", "'/>", 1)), Limits{})
	if err != io.EOF {
		t.Errorf("empty stream: %v", err)
	}
}

func TestReadStreamError(t *testing.T) {
	for in, want := range map[string]StreamError{
		"<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>busy</text>": {"conflict", "busy"},
		"": {"undefined-condition", ""},
	} {
		_, _, err := read(strings.NewReader(header+"<stream:error>"+in+"</stream:error></stream:stream>"), Limits{})
		var se *StreamError
		if !errors.As(err, &se) || *se != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestReadPassesOver(t *testing.T) {
	lim := Limits{Bytes: 2000, Depth: 8, Attrs: 5, Elements: 50}
	const top = "<iq type='get' id='1' from='a@b'>"
	for _, tt := range []struct {
		name, in string
		headed   bool // the top element is known
	}{
		{"long text", top + strings.Repeat("x", 5000) + "</iq>", true},
		{"long CDATA", top + "<![CDATA[" + strings.Repeat("]]</iq>", 900) + "]]]></iq>", true},
		{"long attribute", top + "<a x='" + strings.Repeat("/>", 2000) + "'/></iq>", true},
		{"many short elements", top + strings.Repeat("<a/>", 60) + "</iq>", true},
		{"many attributes", top + "<a a='' b='' c='' d='' e='' f=''/></iq>", true},
		{"deep", top + strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300) + "</iq>", true},
		{"deep and long", top + strings.Repeat("<a b='>'><c/>", 3000) + strings.Repeat("</a>", 3000) + "</iq>", true},
		{"long end tag", top + "</iq" + strings.Repeat(" ", 2000) + ">", true},
		{"one byte too long", top + strings.Repeat("x", 2001-len(top+"</iq>")) + "</iq>", true},
		{"long header", "<iq type='get' id='" + strings.Repeat("x", 3000) + "'>x<y/></iq>", false},
		{"long header, empty", "<iq type='get' id='" + strings.Repeat("x", 3000) + "'/>", false},
		{"attributes of the header", "<iq a='' b='' c='' d='' e='' f=''/>", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader} {
				in := header + "<a/>" + tt.in + "<b xmlns:x='urn:x'/>" + tt.in + "<c/></stream:stream>"
				got, large, err := read(wrap(strings.NewReader(in)), lim)
				if err != io.EOF || len(got) != 3 || len(large) != 2 {
					t.Fatalf("%d stanzas, %d passed over, %v", len(got), len(large), err)
				}
				want := Element{}
				if tt.headed {
					want = Element{Space: NSClient, Name: "iq", Attr: []Attr{{"", "type", "get"}, {"", "id", "1"}, {"", "from", "a@b"}}}
				}
				if !reflect.DeepEqual(large[0], want) || !reflect.DeepEqual(large[1], want) {
					t.Errorf("got header %+v, want %+v", large, want)
				}
			}
		})
	}
}

func TestReadAtTheLimit(t *testing.T) {
	lim := Limits{Bytes: 300, Depth: 3, Attrs: 5, Elements: 4}
	for name, in := range map[string]string{
		"bytes":      "<a>" + strings.Repeat("x", 293) + "</a>",
		"depth":      "<a><b><c/></b></a>",
		"attributes": "<a b='' c='' d='' e='' f=''/>",
		"elements":   "<a><b/><b/><b/></a>",
	} {
		if got, large, err := read(strings.NewReader(header+in+"</stream:stream>"), lim); err != io.EOF || len(got) != 1 || len(large) != 0 {
			t.Errorf("%s: %d stanzas, %d passed over, %v", name, len(got), len(large), err)
		}
	}
}

func TestReadIllFormedWhilePassingOver(t *testing.T) {
	long := "<a>" + strings.Repeat("x", 200)
	for _, in := range []string{"<!-- -->", "<?x?>", "<b <"} {
		_, _, err := read(strings.NewReader(header+long+in), Limits{Bytes: 180})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

// constantReader yields a pattern for as long as asked.
type constantReader struct{ n int }

func (c *constantReader) Read(p []byte) (int, error) {
	if c.n <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), c.n)
	for i := range p[:n] {
		p[i] = 'x'
	}
	c.n -= n
	return n, nil
}

func TestPassingOverTakesConstantMemory(t *testing.T) {
	src := io.MultiReader(strings.NewReader(header+"<a>"), &constantReader{64 << 20}, strings.NewReader("</a><b/></stream:stream>"))
	r := NewReader(src, Limits{})
	if _, err := r.ReadHeader(); err != nil {
		t.Fatal(err)
	}
	var large *TooLarge
	if _, err := r.Next(); !errors.As(err, &large) {
		t.Fatal(err)
	}
	if len(r.buf) > 4*r.lim.Bytes {
		t.Errorf("the buffer grew to %d bytes", len(r.buf))
	}
	if e, err := r.Next(); err != nil || e.Name != "b" {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestNamesAreNotKeptForEver(t *testing.T) {
	var in strings.Builder
	in.WriteString(header)
	for i := range 5000 {
		in.WriteString("<a" + strings.Repeat("x", i%100) + " b" + strings.Repeat("y", i/100) + "='1'/>")
	}
	r := NewReader(strings.NewReader(in.String()), Limits{})
	_, err := r.ReadHeader()
	for err == nil {
		_, err = r.Next()
	}
	if err != io.ErrUnexpectedEOF || len(r.names) > 1024 {
		t.Errorf("%d names kept, %v", len(r.names), err)
	}
}
