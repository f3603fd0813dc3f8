package stanza

import "bytes"

// skipper finds the end of a stanza that is not wanted. It remembers a few
// numbers, whatever the length, and so checks only what it needs to count
// elements: names, attributes and characters go unseen.
type skipper struct {
	depth int
	state skipState
	quote byte
	slash bool // the byte before was a slash
	match int  // how many bytes of cdataOpen or cdataClose came
}

type skipState uint8

const (
	skipText skipState = iota
	skipOpen           // behind <
	skipStart
	skipEnd
	skipMark // in <![CDATA[
	skipCDATA
)

// skip goes on through b. It returns how much of b belongs to the stanza and
// whether the stanza has ended, or why it cannot be counted.
func (s *skipper) skip(b []byte) (n int, done bool, reason string) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch s.state {
		case skipText:
			k := bytes.IndexByte(b[i:], '<')
			if k < 0 {
				return len(b), false, ""
			}
			i += k
			s.state = skipOpen
		case skipOpen:
			s.slash = false
			switch c {
			case '?':
				return i, false, "processing instruction"
			case '!':
				s.state, s.match = skipMark, len("<!")
			case '/':
				s.state = skipEnd
			default:
				s.state = skipStart
			}
		case skipStart:
			if s.startTag(c) {
				return i + 1, true, ""
			}
			if c == '<' && s.quote == 0 {
				return i, false, "< in a tag"
			}
		case skipEnd:
			if c != '>' {
				continue
			}
			s.state = skipText
			if s.depth--; s.depth <= 0 {
				return i + 1, true, ""
			}
		case skipMark:
			if c != cdataOpen[s.match] {
				return i, false, "comment or document type"
			}
			if s.match++; s.match == len(cdataOpen) {
				s.state, s.match = skipCDATA, 0
			}
		case skipCDATA:
			s.cdata(c)
		}
	}
	return len(b), false, ""
}

// startTag takes a byte of a start tag and reports whether it was the last of
// the stanza.
func (s *skipper) startTag(c byte) (done bool) {
	switch {
	case s.quote != 0:
		if c == s.quote {
			s.quote = 0
		}
	case c == '"' || c == '\'':
		s.quote = c
	case c == '>':
		s.state = skipText
		if !s.slash {
			s.depth++
		}
		return s.slash && s.depth == 0
	}
	s.slash = c == '/' && s.quote == 0
	return false
}

// cdata takes a byte of a CDATA section; match counts brackets before it.
func (s *skipper) cdata(c byte) {
	switch {
	case c == ']':
		s.match = min(s.match+1, 2)
	case c == '>' && s.match == 2:
		s.state = skipText
	default:
		s.match = 0
	}
}
