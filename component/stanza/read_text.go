package stanza

import (
	"bytes"
	"unicode/utf8"
)

// addText appends character data with its references resolved.
func (r *Reader) addText(b []byte) error {
	if bytes.Contains(b, []byte(cdataClose)) {
		return r.syntax("]]> in text")
	}
	return r.appendTo(&r.open[r.depth-1].text, b, inText)
}

// addCDATA appends the inside of a CDATA section.
func (r *Reader) addCDATA(b []byte) error {
	return r.appendTo(&r.open[r.depth-1].text, b, inCDATA)
}

// value returns an attribute value with its references resolved. It is valid
// until the next call.
func (r *Reader) value(b []byte) ([]byte, error) {
	r.scratch = r.scratch[:0]
	err := r.appendTo(&r.scratch, b, inValue)
	return r.scratch, err
}

type place uint8

const (
	inText place = iota
	inCDATA
	inValue
)

// plain are the bytes that mean themselves everywhere.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '&' && c != '<'
	}
	return t
}()

// appendTo appends what b stands for: references resolved, line ends as XML
// 1.0 §2.11 has them, white space in attributes as §3.3.3 has it.
func (r *Reader) appendTo(dst *[]byte, b []byte, in place) error {
	out := *dst
	for len(b) > 0 {
		n := 0
		for n < len(b) && plain[b[n]] {
			n++
		}
		out = append(out, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			break
		}
		n = 1
		switch c := b[0]; {
		case c == '&' && in != inCDATA:
			var ch rune
			if ch, n = reference(b); n == 0 {
				return r.syntax("unknown entity or character reference")
			}
			out = utf8.AppendRune(out, ch)
		case c == '<' && in == inValue:
			return r.syntax("< in an attribute value")
		case c == '&' || c == '<':
			out = append(out, c)
		case c == '\r':
			if len(b) > 1 && b[1] == '\n' {
				n = 2
			}
			out = append(out, lineEnd(in))
		case c == '\n':
			out = append(out, lineEnd(in))
		case c == '\t' && in == inValue:
			out = append(out, ' ')
		case c == '\t':
			out = append(out, c)
		default:
			var ch rune
			if ch, n = utf8.DecodeRune(b); ch == utf8.RuneError && n == 1 {
				return r.syntax("not UTF-8")
			}
			if !isChar(ch) {
				return r.syntax("not a character that XML allows")
			}
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	*dst = out
	return nil
}

func lineEnd(in place) byte {
	if in == inValue {
		return ' '
	}
	return '\n'
}

// maxReference is longer than any reference that makes sense.
const maxReference = 16

// reference returns the character that the reference at the beginning of b
// stands for, and the length of the reference, 0 if it is none.
func reference(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
	if end < 0 {
		return 0, 0
	}
	switch name := string(b[1:end]); name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "apos":
		return '\'', end + 1
	case "quot":
		return '"', end + 1
	}
	digits, ok := bytes.CutPrefix(b[1:end], []byte("#"))
	if !ok {
		return 0, 0
	}
	digits, hex := bytes.CutPrefix(digits, []byte("x"))
	var c rune
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case hex && 'a' <= d && d <= 'f':
			d -= 'a' - 10
		case hex && 'A' <= d && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, 0
		}
		if hex {
			c = c<<4 + rune(d)
		} else {
			c = c*10 + rune(d)
		}
		if c > utf8.MaxRune {
			return 0, 0
		}
	}
	if !isChar(c) {
		return 0, 0
	}
	return c, end + 1
}

// isChar is Char of XML 1.0 §2.2.
func isChar(c rune) bool {
	return c >= ' ' && c <= 0xD7FF || c == '\t' || c == '\n' || c == '\r' ||
		c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// trimSpace returns b without white space at the beginning.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}
