package stanza

import (
	"strconv"
	"unicode/utf8"
)

// AppendElement appends e as it stands on a stream. A namespace is written
// where it differs from the parent's; around e is [NSClient], in either of its
// names. What XML cannot express becomes U+FFFD, so that no text can spoil the
// stream; element and attribute names are the caller's to get right.
func AppendElement(dst []byte, e Element) []byte { return appendElement(dst, &e, NSClient) }

func appendElement(dst []byte, e *Element, around string) []byte {
	space := e.Space
	switch space {
	case "":
		space = around
	case NSAccept:
		space = NSClient
	}
	dst = append(append(dst, '<'), e.Name...)
	if space != around {
		dst = appendAttr(dst, "", "xmlns", space)
	}
	for i := range e.Attr {
		dst = appendQualified(dst, &e.Attr[i], i)
	}
	if e.Text == "" && len(e.Children) == 0 {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	dst = appendEscaped(dst, e.Text, false)
	for i := range e.Children {
		dst = appendElement(dst, &e.Children[i], space)
	}
	dst = append(append(dst, "</"...), e.Name...)
	return append(dst, '>')
}

// appendQualified gives each attribute with a namespace a prefix of its own.
func appendQualified(dst []byte, a *Attr, i int) []byte {
	switch a.Space {
	case "":
		return appendAttr(dst, "", a.Name, a.Value)
	case NSXML:
		return appendAttr(dst, "xml:", a.Name, a.Value)
	}
	prefix := "a" + strconv.Itoa(i)
	dst = appendAttr(dst, "xmlns:", prefix, a.Space)
	return appendAttr(dst, prefix+":", a.Name, a.Value)
}

func appendAttr(dst []byte, prefix, name, value string) []byte {
	dst = append(append(append(dst, ' '), prefix...), name...)
	dst = append(dst, "='"...)
	dst = appendEscaped(dst, value, true)
	return append(dst, '\'')
}

// appendEscaped appends s as character data, or as an attribute value in
// single quotes.
func appendEscaped(dst []byte, s string, attr bool) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] && c != '>' && c != '\'' {
			i++
			continue
		}
		n, esc := 1, ""
		switch {
		case c == '&':
			esc = "&amp;"
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '\'' && attr:
			esc = "&apos;"
		case c == '\r':
			esc = "&#13;"
		case c == '\n' && attr:
			esc = "&#10;"
		case c == '\t' && attr:
			esc = "&#9;"
		case c == '\'' || c == '\n' || c == '\t':
		default:
			var ch rune
			if ch, n = utf8.DecodeRuneInString(s[i:]); ch == utf8.RuneError && n == 1 || !isChar(ch) {
				esc = "\uFFFD"
			}
		}
		if esc != "" {
			dst = append(append(dst, s[from:i]...), esc...)
			from = i + n
		}
		i += n
	}
	return append(dst, s[from:]...)
}
