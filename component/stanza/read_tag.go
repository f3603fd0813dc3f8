package stanza

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// errLimit says that a token is fine and too much.
var errLimit = errors.New("limit")

type rawAttr struct {
	name, value []byte
	prefix      int // length of the prefix, -1 if none
}

// startTag opens the element of a start tag and reports whether the tag also
// ends it.
func (r *Reader) startTag(tok []byte) (empty bool, err error) {
	b := tok[1 : len(tok)-1]
	if len(b) > 0 && b[len(b)-1] == '/' {
		empty, b = true, b[:len(b)-1]
	}
	n := nameLen(b)
	prefix, ok := splitName(b[:n])
	if !ok {
		return false, r.syntax("not an element name")
	}
	name := b[:n]
	if err := r.splitAttrs(b[n:]); err != nil {
		return false, err
	}

	mark := len(r.ns)
	for i := range r.attrs {
		if err := r.declare(&r.attrs[i]); err != nil {
			return false, err
		}
	}
	if r.depth == len(r.open) {
		r.open = append(r.open, frame{})
	}
	f := &r.open[r.depth]
	f.raw, f.text, f.nsMark = r.intern(name), f.text[:0], mark
	f.el = Element{Name: f.raw[prefix+1:]}
	if f.el.Space, ok = r.lookup(name[:max(prefix, 0)]); !ok {
		return false, r.syntax("prefix of an element is not declared")
	}
	if f.el.Attr, err = r.plainAttrs(); err != nil {
		return false, err
	}
	r.depth++
	return empty, nil
}

// splitAttrs cuts the inside of a start tag, from behind the name, into
// r.attrs.
func (r *Reader) splitAttrs(b []byte) error {
	r.attrs = r.attrs[:0]
	for {
		rest := trimSpace(b)
		if len(rest) == 0 {
			return nil
		}
		if len(rest) == len(b) {
			return r.syntax("no white space before an attribute")
		}
		n := nameLen(rest)
		prefix, ok := splitName(rest[:n])
		if !ok {
			return r.syntax("not an attribute name")
		}
		a := rawAttr{name: rest[:n], prefix: prefix}
		b = trimSpace(rest[n:])
		if len(b) == 0 || b[0] != '=' {
			return r.syntax("attribute without value")
		}
		b = trimSpace(b[1:])
		if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
			return r.syntax("attribute value without quotes")
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 {
			return r.syntax("attribute value without end")
		}
		a.value, b = b[1:1+end], b[end+2:]
		for i := range r.attrs {
			if bytes.Equal(r.attrs[i].name, a.name) {
				return r.syntax("attribute given twice")
			}
		}
		if len(r.attrs) == r.lim.Attrs {
			return errLimit
		}
		r.attrs = append(r.attrs, a)
	}
}

// declare takes note of a, if it declares a namespace.
func (r *Reader) declare(a *rawAttr) error {
	var prefix string
	switch {
	case string(a.name) == "xmlns":
	case a.prefix > 0 && string(a.name[:a.prefix]) == "xmlns":
		prefix = r.intern(a.name[a.prefix+1:])
	default:
		return nil
	}
	v, err := r.value(a.value)
	if err != nil {
		return err
	}
	uri := r.intern(v)
	// Namespaces in XML §3: xml is bound for good, xmlns to nothing that could
	// be said, and only the default namespace can be taken back.
	if prefix == "xmlns" || (prefix == "xml") != (uri == NSXML) || uri == nsXMLNS || prefix != "" && uri == "" {
		return r.syntax("namespace declaration is not allowed")
	}
	if uri == NSAccept {
		uri = NSClient
	}
	r.ns = append(r.ns, binding{prefix, uri})
	return nil
}

// plainAttrs returns the attributes that declare no namespace.
func (r *Reader) plainAttrs() ([]Attr, error) {
	n := 0
	for i := range r.attrs {
		if !r.attrs[i].declares() {
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	attrs := make([]Attr, 0, n)
	for i := range r.attrs {
		raw := &r.attrs[i]
		if raw.declares() {
			continue
		}
		v, err := r.value(raw.value)
		if err != nil {
			return nil, err
		}
		a := Attr{Name: r.intern(raw.name)[raw.prefix+1:], Value: string(v)}
		if raw.prefix > 0 {
			var ok bool
			if a.Space, ok = r.lookup(raw.name[:raw.prefix]); !ok {
				return nil, r.syntax("prefix of an attribute is not declared")
			}
			for _, other := range attrs {
				if other.Name == a.Name && other.Space == a.Space {
					return nil, r.syntax("attribute given twice")
				}
			}
		}
		attrs = append(attrs, a)
	}
	return attrs, nil
}

func (a *rawAttr) declares() bool {
	return string(a.name) == "xmlns" || a.prefix > 0 && string(a.name[:a.prefix]) == "xmlns"
}

// lookup returns what a prefix stands for.
func (r *Reader) lookup(prefix []byte) (string, bool) {
	for i := len(r.ns) - 1; i >= 0; i-- {
		if r.ns[i].prefix == string(prefix) {
			return r.ns[i].uri, true
		}
	}
	if string(prefix) == "xml" {
		return NSXML, true
	}
	return "", len(prefix) == 0
}

// intern returns b as a string, the same one as last time for the few names
// and namespaces that a stream is made of.
func (r *Reader) intern(b []byte) string {
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= 128 {
		if len(r.names) >= 1024 { // somebody makes names up
			clear(r.names)
		}
		r.names[s] = s
	}
	return s
}

// splitName returns the length of the prefix, -1 if there is none, and whether
// name is a qualified name at all.
func splitName(name []byte) (prefix int, ok bool) {
	if len(name) == 0 {
		return -1, false
	}
	prefix = bytes.IndexByte(name, ':')
	if prefix < 0 {
		return -1, true
	}
	local := name[prefix+1:]
	if prefix == 0 || len(local) == 0 || bytes.IndexByte(local, ':') >= 0 {
		return -1, false
	}
	c, _ := utf8.DecodeRune(local)
	return prefix, isNameStart(c)
}

// nameLen returns the length of the XML name at the beginning of b, 0 if there
// is none.
func nameLen(b []byte) int {
	for i := 0; i < len(b); {
		c, n := rune(b[i]), 1
		if c >= utf8.RuneSelf {
			if c, n = utf8.DecodeRune(b[i:]); c == utf8.RuneError && n == 1 {
				return 0
			}
		}
		if !isNameStart(c) && (i == 0 || !isNameRest(c)) {
			return i
		}
		i += n
	}
	return len(b)
}

// isNameStart is NameStartChar of XML 1.0 §2.3.
func isNameStart(c rune) bool {
	switch {
	case c < utf8.RuneSelf:
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':'
	case c <= 0x2FF:
		return c >= 0xC0 && c != 0xD7 && c != 0xF7
	case c <= 0x1FFF:
		return c >= 0x370 && c != 0x37E
	case c <= 0x218F:
		return c == 0x200C || c == 0x200D || c >= 0x2070
	case c <= 0xD7FF:
		return c >= 0x2C00 && c <= 0x2FEF || c >= 0x3001
	case c <= 0xFFFD:
		return c >= 0xF900 && c <= 0xFDCF || c >= 0xFDF0
	}
	return c >= 0x10000 && c <= 0xEFFFF
}

// isNameRest is what NameChar has beyond NameStartChar.
func isNameRest(c rune) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '.' || c == 0xB7 ||
		c >= 0x300 && c <= 0x36F || c == 0x203F || c == 0x2040
}

// xmlDeclaration reports whether b, the inside of <? ?>, declares XML 1.0 in
// UTF-8 (RFC 6120 §11.5, §11.6).
func xmlDeclaration(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("xml"))
	if !ok || len(rest) == 0 || !isSpace(rest[0]) {
		return false
	}
	r := &Reader{lim: Limits{Attrs: 3}}
	if r.splitAttrs(bytes.TrimRight(rest, " \t\r\n")) != nil {
		return false
	}
	for i, a := range r.attrs {
		switch {
		case i == 0 && string(a.name) == "version" && string(a.value) == "1.0":
		case i == 1 && string(a.name) == "encoding" && bytes.EqualFold(a.value, []byte("utf-8")):
		case i > 0 && i == len(r.attrs)-1 && string(a.name) == "standalone" && (string(a.value) == "yes" || string(a.value) == "no"):
		default:
			return false
		}
	}
	return len(r.attrs) > 0
}
