package stanza

import (
	"bytes"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// pieces yields a text in pieces of random length.
type pieces struct {
	s   string
	rnd *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.s) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.s[:1+p.rnd.IntN(min(len(p.s), 1+p.rnd.IntN(40)))])
	p.s = p.s[n:]
	return n, nil
}

// FuzzReader: what comes in pieces reads as what comes at once; what is taken
// is well-formed to encoding/xml, and the same; what is taken and written reads
// as before; and nothing makes the reader panic.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"<iq type='set' id='a&amp;b'><pubsub xmlns='urn:p'><x>t&lt;&#x41;</x></pubsub></iq>",
		"<message xmlns:p='urn:p' p:a='1' xml:lang='en'><p:b/><body><![CDATA[<&]]>\r\n</body></message>",
		"<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a><b/>",
		"<a>" + strings.Repeat("x", 600) + "</a><b x='" + strings.Repeat("y", 600) + "'/>",
		"<a><!-- --></a>", "<a><?x?></a>", "<!DOCTYPE a>", "<a>]]></a>", "<a x='<'/>", "<a>&nbsp;</a>", "<p:a/>",
		"<a xmlns=''/><a xmlns='jabber:component:accept'/>", "<\u00e9 \u00e8='1'/>", "<a>\xff</a>", "<a\n\t=''/>",
		"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		" \n </stream:stream>", "</stream:stream\t>x", "<a ", "<a b='\r\n\t&#10;'/>", "<a b='1'c='2'/>",
		"<a>" + strings.Repeat("<b/>", 40) + "</a>", "<a a='' b='' c='' d='' e='' f='' g='' h='' i=''/>",
	} {
		f.Add(s, uint64(1))
	}
	lim := Limits{Bytes: 512, Depth: 8, Attrs: 8, Elements: 32}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		in := header + s
		got, large, err := read(strings.NewReader(in), lim)
		again, largeAgain, errAgain := read(&pieces{in, rand.New(rand.NewPCG(seed, 0))}, lim)
		if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(large, largeAgain) || err.Error() != errAgain.Error() {
			t.Fatalf("at once:   %+v, passed over %+v, %v\nin pieces: %+v, passed over %+v, %v", got, large, err, again, largeAgain, errAgain)
		}
		for _, e := range got {
			out := string(AppendElement(nil, e))
			back, _, err := read(strings.NewReader(header+out+"</stream:stream>"), Limits{})
			if err != io.EOF || len(back) != 1 || !reflect.DeepEqual(inherit(e, NSClient), back[0]) {
				t.Fatalf("%+v is written as %s, and read as %+v, %v", e, out, back, err)
			}
		}
		// encoding/xml knows fewer letters for names than XML 1.0 has by now, and
		// what was passed over was not looked at in full.
		if len(large) > 0 || !asciiNames(got) {
			return
		}
		if want := standard(t, in, len(got)); !reflect.DeepEqual(flatten(got), flatten(want)) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// standard reads the first n stanzas with encoding/xml.
func standard(t *testing.T, in string, n int) []Element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(in))
	for depth := 0; depth == 0; {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tok.(xml.StartElement); ok {
			depth++
		}
	}
	var all []Element
	for len(all) < n {
		e, err := FromTokens(copied{d})
		if err != nil {
			t.Fatalf("encoding/xml does not take what was taken, after %d of %d: %v\n%s", len(all), n, err, in)
		}
		all = append(all, e)
	}
	return all
}

// copied has each token stand for itself. FromTokens gives an element without
// namespace its parent's, which the standard library has resolved already.
type copied struct{ d *xml.Decoder }

func (c copied) Token() (xml.Token, error) {
	tok, err := c.d.Token()
	if start, ok := tok.(xml.StartElement); ok && start.Name.Space == "" {
		start.Name.Space = noSpace
		return start, err
	}
	return tok, err
}

const noSpace = "no namespace"

// flatten makes the trees of both readers comparable: no empty slices, the
// one name of our two namespaces, and white space in attributes, of which the
// standard library makes no spaces (XML 1.0 §3.3.3).
func flatten(all []Element) []Element {
	space := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	var out []Element
	for _, e := range all {
		if e.Space == NSAccept {
			e.Space = NSClient
		}
		if e.Space == "" {
			e.Space = noSpace
		}
		var attrs []Attr
		for _, a := range e.Attr {
			a.Value = space.Replace(a.Value)
			if a.Space == NSAccept {
				a.Space = NSClient
			}
			attrs = append(attrs, a)
		}
		e.Attr, e.Children = attrs, flatten(e.Children)
		out = append(out, e)
	}
	return out
}

// inherit gives each element without namespace its parent's, as writing does.
func inherit(e Element, space string) Element {
	if e.Space == "" {
		e.Space = space
	}
	children := e.Children
	e.Children = nil
	for _, c := range children {
		e.Children = append(e.Children, inherit(c, e.Space))
	}
	return e
}

func asciiNames(all []Element) bool {
	for _, e := range all {
		ok := isASCII(e.Name)
		for _, a := range e.Attr {
			ok = ok && isASCII(a.Name)
		}
		if !ok || !asciiNames(e.Children) {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// FuzzAppendElement: whatever text is written, the stream stays well-formed,
// and XML's own characters come back.
func FuzzAppendElement(f *testing.F) {
	for _, s := range []string{"", "a&b<c>'\"", "\x00\x1f\x7f", "\r\n\t", "\xff\xfe", "]]>", "\uFFFE\uFFFD", "\U0001F4A9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendElement([]byte("<before/>"), Element{Name: "a", Attr: []Attr{{"", "x", s}, {"urn:x", "y", s}, {NSXML, "lang", s}}, Text: s})
		if !bytes.HasPrefix(out, []byte("<before/>")) {
			t.Fatal("what stood before is gone")
		}
		got, _, err := read(strings.NewReader(header+string(out)+"</stream:stream>"), Limits{Bytes: 64 << 20})
		if err != io.EOF || len(got) != 2 {
			t.Fatalf("%q is written as %s: %v", s, out, err)
		}
		var want string
		for _, r := range s { // invalid UTF-8 is a RuneError a byte
			if !isChar(r) {
				r = utf8.RuneError
			}
			want += string(r)
		}
		for _, v := range []string{got[1].Text, got[1].Attr[0].Value, got[1].Attr[1].Value, got[1].Attr[2].Value} {
			if v != want {
				t.Fatalf("%q came back as %q", s, v)
			}
		}
		if got[1].Attr[1].Space != "urn:x" || got[1].Attr[2].Space != NSXML {
			t.Fatalf("got %+v", got[1].Attr)
		}
	})
}

func TestSkipperAgreesWithReader(t *testing.T) { // on where stanzas end
	for _, s := range []string{
		"<a/>", "<a></a>", "<a b='>'/>", `<a b="/>'"><c/></a>`, "<a><![CDATA[</a>]]]></a>", "<a b='x'/>", "<a ><b/><c></c></a >",
	} {
		if got, _, err := read(strings.NewReader(header+s+"</stream:stream>"), Limits{}); err != io.EOF || len(got) != 1 {
			t.Fatal(s, err)
		}
		for cut := range len(s) {
			var sk skipper
			n, done, reason := sk.skip([]byte(s[:cut]))
			m := 0
			if !done && reason == "" {
				m, done, reason = sk.skip([]byte(s[cut:] + "<next/>"))
			}
			if n+m != len(s) || !done || reason != "" {
				t.Errorf("%s cut at %d: %d bytes, %v, %s", s, cut, n+m, done, reason)
			}
		}
	}
}
