package lab

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// WebSocket lets clients that know only TCP into a server by its WebSocket
// (RFC 7395): they connect to Addr, and each connection becomes one. When one
// side breaks off the other does. Safe for concurrent use.
type WebSocket struct {
	listener     net.Listener
	target, path string
	domain       string
	all          sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// NewWebSocket listens on a free port of 127.0.0.1 for clients of domain; target
// is host:port of the server, path where its WebSocket is.
func NewWebSocket(target, path, domain string) (*WebSocket, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	w := &WebSocket{listener: l, target: target, path: path, domain: domain, conns: map[net.Conn]struct{}{}}
	w.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.all.Go(func() { w.serve(c) })
		}
	})
	return w, nil
}

// Addr is host:port for clients.
func (w *WebSocket) Addr() string { return w.listener.Addr().String() }

// Close breaks every connection off and waits until all is over.
func (w *WebSocket) Close() error {
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	err := w.listener.Close()
	w.all.Wait()
	return err
}

// open notes a connection that Close is to break off, and tells whether it is not too late.
func (w *WebSocket) open(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.conns[c] = struct{}{}
	}
	return !w.closed
}

// breakOff ends a connection without a word.
func (w *WebSocket) breakOff(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

func (w *WebSocket) serve(client net.Conn) {
	defer w.breakOff(client)
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer w.breakOff(server)
	if !w.open(client) || !w.open(server) {
		return
	}
	r := bufio.NewReader(server)
	if err := w.upgrade(server, r); err != nil {
		fmt.Fprintf(client, "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'><!-- %v -->", err)
		return
	}
	f := &frames{r: r, w: server}
	w.all.Go(func() {
		down(client, f)
		w.breakOff(client)
	})
	up(client, f, w.domain)
	w.breakOff(server)
}

func (w *WebSocket) upgrade(c net.Conn, r *bufio.Reader) error {
	var key [16]byte
	rand.Read(key[:])
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n", w.path, w.domain, base64.StdEncoding.EncodeToString(key[:]))
	resp, err := http.ReadResponse(r, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(resp.Status)
	}
	return err
}

const framing = "urn:ietf:params:xml:ns:xmpp-framing"

// recorder keeps what was read, from an offset on.
type recorder struct {
	r    io.Reader
	kept []byte
	from int64
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.kept = append(r.kept, p[:n]...)
	return n, err
}

// cut gives what is between two offsets and forgets all before the second.
func (r *recorder) cut(start, end int64) string {
	s := string(r.kept[start-r.from : end-r.from])
	r.kept, r.from = r.kept[end-r.from:], end
	return s
}

// up makes a frame of each element below the stream that a client sends.
func up(client io.Reader, f *frames, domain string) {
	rec := &recorder{r: client}
	d := xml.NewDecoder(rec)
	var depth int
	var start int64
	var bare bool // the element says no namespace, and so means that of the stream
	for {
		at := d.InputOffset()
		tok, err := d.RawToken()
		if err != nil {
			return
		}
		stream := xml.Name{Space: "stream", Local: "stream"}
		switch tok := tok.(type) {
		case xml.StartElement:
			if tok.Name == stream { // also in the middle of one: it is begun again after the login
				depth = 0
				f.write(text, fmt.Sprintf("<open xmlns='%s' to='%s' version='1.0'/>", framing, domain))
				continue
			}
			if depth++; depth == 1 {
				start, bare = at, true
				for _, a := range tok.Attr {
					bare = bare && !(a.Name.Space == "" && a.Name.Local == "xmlns")
				}
			}
		case xml.EndElement:
			if tok.Name == stream {
				f.write(text, fmt.Sprintf("<close xmlns='%s'/>", framing))
				continue
			}
			if depth--; depth > 0 {
				continue
			}
			raw := rec.cut(start, d.InputOffset())
			if bare {
				name := len(raw) - len(strings.TrimLeft(raw[1:], "abcdefghijklmnopqrstuvwxyz"))
				raw = raw[:name] + " xmlns='jabber:client'" + raw[name:]
			}
			f.write(text, raw)
		}
	}
}

// down makes a stream of the frames of a server.
func down(client io.Writer, f *frames) {
	for {
		payload, err := f.read()
		if err != nil {
			return
		}
		var top struct {
			XMLName xml.Name
			ID      string `xml:"id,attr"`
			From    string `xml:"from,attr"`
		}
		if strings.Contains(payload, framing) && xml.Unmarshal([]byte(payload), &top) == nil && top.XMLName.Space == framing {
			switch top.XMLName.Local {
			case "open":
				payload = fmt.Sprintf("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='%s' from='%s'>",
					escape(top.ID), escape(top.From))
			case "close":
				payload = "</stream:stream>"
			}
		}
		if _, err := io.WriteString(client, payload); err != nil {
			return
		}
	}
}

// The opcodes of RFC 6455 §5.2.
const (
	text     = 1
	farewell = 8
	ping     = 9
	pong     = 10
)

// frames are RFC 6455 as far as a client needs it.
type frames struct {
	r  *bufio.Reader
	mu sync.Mutex
	w  io.Writer
}

// maxFrame is more than any server here sends.
const maxFrame = 16 << 20

// write sends one frame, masked as those of clients have to be.
func (f *frames) write(opcode byte, payload string) error {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.w.Write(b)
	return err
}

// read gives the next message, and answers pings meanwhile.
func (f *frames) read() (string, error) {
	var message []byte
	for {
		var head [2]byte
		if _, err := io.ReadFull(f.r, head[:]); err != nil {
			return "", err
		}
		n := uint64(head[1] & 0x7f)
		if n >= 126 {
			size := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
			if _, err := io.ReadFull(f.r, size); err != nil {
				return "", err
			}
			n = 0
			for _, b := range size {
				n = n<<8 | uint64(b)
			}
		}
		if n+uint64(len(message)) > maxFrame {
			return "", fmt.Errorf("lab: a frame of %d bytes", n)
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(f.r, payload); err != nil {
			return "", err
		}
		switch head[0] & 0x0f {
		case farewell:
			return "", io.EOF
		case ping:
			if err := f.write(pong, string(payload)); err != nil {
				return "", err
			}
		case pong:
		default:
			message = append(message, payload...)
			if head[0]&0x80 != 0 {
				return string(message), nil
			}
		}
	}
}
