package stanza

import (
	"bytes"
	"fmt"
	"io"
)

// Limits bound what one stanza may cost. Zero values mean the defaults.
type Limits struct {
	Bytes    int // length on the wire; default 512 KiB, as much as Prosody takes from a component
	Depth    int // elements within each other, the stanza itself counted; default 64
	Attrs    int // attributes of one element; default 64
	Elements int // elements in one stanza; default 16384
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		v   *int
		def int
	}{{&l.Bytes, 512 << 10}, {&l.Depth, 64}, {&l.Attrs, 64}, {&l.Elements, 16384}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return l
}

// SyntaxError says why the stream cannot be read on: it is not the XML that
// RFC 6120 §11 allows.
type SyntaxError struct {
	Offset int64 // of the token at fault, in bytes from the start of the stream
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("stream is not well-formed at byte %d: %s", e.Offset, e.Reason)
}

// TooLarge stands for a stanza beyond the limits, which was passed over; the
// stream goes on. Header is the stanza without children, so that it can be
// answered; it is empty if the start tag alone was too much.
type TooLarge struct{ Header Element }

func (e *TooLarge) Error() string { return "stanza exceeds the limits" }

// Reader reads the stanzas of a stream. Not safe for concurrent use.
//
// Elements that it returns share nothing with its buffer.
type Reader struct {
	src io.Reader
	lim Limits

	buf      []byte
	pos, end int   // buf[pos:end] is unread
	base     int64 // stream offset of buf[0]
	scan     int   // how far the unfinished token at pos was looked through
	quote    byte  // the quote in which that search stands
	err      error // what ended the stream

	header   string // raw name of the stream element
	ns       []binding
	nsHeader int     // how many of ns the stream element declared
	open     []frame // elements begun and not ended
	depth    int     // how many of open are in use
	size     int     // bytes of the stanza before pos
	count    int     // elements of the stanza so far

	names   map[string]string // names and namespaces met before
	attrs   []rawAttr         // scratch of startTag
	scratch []byte            // scratch of value
}

type binding struct{ prefix, uri string }

// frame is an element under construction.
type frame struct {
	el     Element
	raw    string // name as written, for the end tag
	text   []byte
	nsMark int
}

// NewReader returns a Reader of the stream in src.
func NewReader(src io.Reader, lim Limits) *Reader {
	return &Reader{src: src, lim: lim.withDefaults(), buf: make([]byte, 16<<10), names: make(map[string]string)}
}

// Size returns the length in bytes of the stanza that Next returned last.
func (r *Reader) Size() int { return r.size }

// ReadHeader reads up to the stream's start tag and returns it. White space
// and an XML declaration may stand before it.
func (r *Reader) ReadHeader() (Element, error) {
	if err := r.prolog(); err != nil {
		return Element{}, r.fail(err)
	}
	n, err := r.wholeToken()
	if err != nil {
		return Element{}, r.fail(err)
	}
	if n == 0 {
		return Element{}, r.fail(r.syntax("stream header exceeds the limits"))
	}
	tag := r.buf[r.pos : r.pos+n]
	if tag[1] == '/' || tag[1] == '!' {
		return Element{}, r.fail(r.syntax("no stream header"))
	}
	empty, err := r.startTag(tag)
	if err == errLimit {
		err = r.syntax("stream header exceeds the limits")
	}
	if err != nil {
		return Element{}, r.fail(err)
	}
	f := &r.open[0]
	head := f.el
	if !head.Is(NSStream, "stream") {
		return Element{}, r.fail(r.syntax("the root is not a stream of " + NSStream))
	}
	r.header, r.nsHeader, r.depth = f.raw, len(r.ns), 0
	r.advance(n)
	if empty {
		r.err = io.EOF
	}
	return head, nil
}

// prolog passes over white space and the XML declaration.
func (r *Reader) prolog() error {
	for declared := false; ; {
		if err := r.skipSpace(); err != nil {
			return err
		}
		for r.end-r.pos < 2 {
			if err := r.fill(); err != nil {
				return err
			}
		}
		if r.buf[r.pos] != '<' {
			return r.syntax("text before the stream header")
		}
		if r.buf[r.pos+1] != '?' {
			return nil
		}
		end := bytes.Index(r.buf[r.pos:r.end], []byte("?>"))
		switch {
		case end < 0 && r.end-r.pos > 256:
			return r.syntax("no end of the XML declaration")
		case end < 0:
			if err := r.fill(); err != nil {
				return err
			}
			continue
		case declared || !xmlDeclaration(r.buf[r.pos+2:r.pos+end]):
			return r.syntax("processing instruction")
		}
		declared = true
		r.advance(end + 2)
	}
}

// Next returns the next stanza. It returns io.EOF once the peer has closed the
// stream, a [*TooLarge] for a stanza that was passed over, a [*StreamError] if
// the peer sent one, a [*SyntaxError] if it sent something that cannot be
// read, and io.ErrUnexpectedEOF or the source's error if that ended first.
// Only after a TooLarge can it be called again.
func (r *Reader) Next() (Element, error) {
	if r.err != nil {
		return Element{}, r.err
	}
	e, err := r.next()
	if _, ok := err.(*TooLarge); err != nil && !ok {
		err = r.fail(err)
	}
	return e, err
}

func (r *Reader) next() (Element, error) {
	if err := r.skipSpace(); err != nil {
		return Element{}, err
	}
	r.ns, r.depth, r.size, r.count = r.ns[:r.nsHeader], 0, 0, 0
	if r.buf[r.pos] != '<' {
		return Element{}, r.syntax("text between stanzas")
	}
	for {
		n, err := r.wholeToken()
		if err != nil {
			return Element{}, err
		}
		if n == 0 || r.size+n > r.lim.Bytes {
			return Element{}, r.passOver()
		}
		done, err := r.take(r.buf[r.pos : r.pos+n])
		if err == errLimit {
			return Element{}, r.passOver()
		}
		if err != nil {
			return Element{}, err
		}
		r.size += n
		r.advance(n)
		if !done {
			continue
		}
		e := r.open[0].el
		r.open[0].el = Element{}
		if e.Is(NSStream, "error") {
			return Element{}, streamError(&e)
		}
		return e, nil
	}
}

// take adds a token to the stanza and reports whether it was the last one.
func (r *Reader) take(tok []byte) (done bool, err error) {
	switch {
	case tok[0] != '<':
		return false, r.addText(tok)
	case tok[1] == '/':
		err := r.endTag(tok)
		return r.depth == 0, err
	case tok[1] == '!':
		if r.depth == 0 {
			return false, r.syntax("text between stanzas")
		}
		return false, r.addCDATA(tok[len(cdataOpen) : len(tok)-len(cdataClose)])
	}
	if r.count++; r.count > r.lim.Elements || r.depth >= r.lim.Depth {
		return false, errLimit
	}
	empty, err := r.startTag(tok)
	if err != nil || !empty {
		return false, err
	}
	done = r.depth == 1
	r.closeElement()
	return done, nil
}

func (r *Reader) endTag(tok []byte) error {
	name := bytes.TrimRight(tok[2:len(tok)-1], " \t\r\n")
	if r.depth == 0 {
		if string(name) == r.header {
			return io.EOF
		}
		return r.syntax("end tag without start tag")
	}
	if string(name) != r.open[r.depth-1].raw {
		return r.syntax("end tag does not match the start tag")
	}
	r.closeElement()
	return nil
}

// maxIdleText is the capacity that a frame may keep from stanza to stanza.
const maxIdleText = 4 << 10

func (r *Reader) closeElement() {
	r.depth--
	f := &r.open[r.depth]
	f.el.Text = string(f.text)
	if cap(f.text) > maxIdleText {
		f.text = nil
	}
	r.ns = r.ns[:f.nsMark]
	if r.depth > 0 {
		up := &r.open[r.depth-1].el
		up.Children = append(up.Children, f.el)
		f.el = Element{}
	}
}

// passOver reads to the end of the stanza without keeping it.
func (r *Reader) passOver() error {
	large := &TooLarge{}
	if r.depth > 0 {
		top := &r.open[0].el
		large.Header = Element{Space: top.Space, Name: top.Name, Attr: top.Attr}
	}
	for i := range r.open {
		r.open[i] = frame{}
	}
	s := skipper{depth: r.depth}
	for {
		n, done, reason := s.skip(r.buf[r.pos:r.end])
		r.size += n
		r.advance(n)
		if reason != "" {
			return r.syntax(reason)
		}
		if done {
			return large
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// wholeToken returns the length of the token at pos once all of it is there:
// a tag, a CDATA section, or text up to the next tag. It returns 0 if the
// token would take the stanza over the limit.
func (r *Reader) wholeToken() (int, error) {
	for {
		n, reason := r.findToken(r.buf[r.pos:r.end])
		if reason != "" {
			return 0, r.syntax(reason)
		}
		if n > 0 {
			return n, nil
		}
		if r.size+r.end-r.pos > r.lim.Bytes {
			return 0, nil
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
}

const (
	cdataOpen  = "<![CDATA["
	cdataClose = "]]>"
)

// findToken returns the length of the token that b begins with, or 0 if its
// end is still to come.
func (r *Reader) findToken(b []byte) (n int, reason string) {
	if len(b) == 0 {
		return 0, ""
	}
	if b[0] != '<' {
		return r.findByte(b, '<', 0), ""
	}
	if len(b) == 1 {
		return 0, ""
	}
	switch b[1] {
	case '?':
		return 0, "processing instruction"
	case '!':
		return r.findCDATA(b)
	case '/':
		return r.findByte(b, '>', 1), ""
	}
	for i := max(r.scan, 1); ; i++ {
		if r.quote != 0 {
			k := bytes.IndexByte(b[min(i, len(b)):], r.quote)
			if k < 0 {
				r.scan = len(b)
				return 0, ""
			}
			i += k + 1
			r.quote = 0
		}
		for i < len(b) && b[i] != '>' && b[i] != '"' && b[i] != '\'' {
			i++
		}
		if i >= len(b) {
			r.scan = len(b)
			return 0, ""
		}
		if b[i] == '>' {
			return i + 1, ""
		}
		r.quote = b[i]
	}
}

// findByte returns where c is, plus extra, or 0.
func (r *Reader) findByte(b []byte, c byte, extra int) int {
	k := bytes.IndexByte(b[r.scan:], c)
	if k < 0 {
		r.scan = len(b)
		return 0
	}
	return r.scan + k + extra
}

func (r *Reader) findCDATA(b []byte) (n int, reason string) {
	if len(b) < len(cdataOpen) {
		if cdataOpen[:len(b)] != string(b) {
			return 0, "comment or document type"
		}
		return 0, ""
	}
	if cdataOpen != string(b[:len(cdataOpen)]) {
		return 0, "comment or document type"
	}
	from := max(len(cdataOpen), r.scan-len(cdataClose)+1)
	k := bytes.Index(b[from:], []byte(cdataClose))
	if k < 0 {
		r.scan = len(b)
		return 0, ""
	}
	return from + k + len(cdataClose), ""
}

// skipSpace passes over white space, which keeps idle streams alive.
func (r *Reader) skipSpace() error {
	for {
		for r.pos < r.end && isSpace(r.buf[r.pos]) {
			r.pos++
		}
		if r.pos < r.end {
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// advance leaves the token of n bytes at pos behind.
func (r *Reader) advance(n int) {
	r.pos += n
	r.scan, r.quote = 0, 0
}

// fill reads more behind buf[pos:end].
func (r *Reader) fill() error {
	if r.pos > 0 && (r.pos == r.end || r.end == len(r.buf)) {
		r.base += int64(r.pos)
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return nil
		}
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (r *Reader) syntax(reason string) error {
	return &SyntaxError{Offset: r.base + int64(r.pos), Reason: reason}
}

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}
