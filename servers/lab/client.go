package lab

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// ClientOptions say what a client is able to do. The zero value beside JID,
// Password and Addr is a phone: stream management with resumption, and no
// more.
type ClientOptions struct {
	JID      string // with resource
	Password string
	Addr     string // host:port, unencrypted

	NoSM       bool // without XEP-0198
	NoResume   bool // XEP-0198 without resumption
	NoPresence bool // does not become available by itself
	Archive    bool // asks the archive (XEP-0313) after a fresh login
	Carbons    bool // XEP-0280
}

// Client is one XMPP client. Its commands return when the client has done what
// it was told; what the server makes of it is another matter. Safe for
// concurrent use.
type Client struct {
	all  *Clients
	name string
	opt  ClientOptions

	mu       sync.Mutex
	received []Stanza
	changed  chan struct{} // closed and replaced when something is received
}

// Stanza is a message or presence that a client has received.
type Stanza struct {
	XMLName  xml.Name
	From     string  `xml:"from,attr"`
	To       string  `xml:"to,attr"`
	Type     string  `xml:"type,attr"`
	ID       string  `xml:"id,attr"`
	Body     string  `xml:"body"`
	Children []Child `xml:",any"`
	XML      string  `xml:"-"` // as received
}

// Child is a child element, by name.
type Child struct{ XMLName xml.Name }

// Has reports whether the stanza has a child of that name.
func (s Stanza) Has(space, local string) bool {
	for _, c := range s.Children {
		if c.XMLName == (xml.Name{Space: space, Local: local}) {
			return true
		}
	}
	return false
}

// Open makes a client that is not yet connected.
func (c *Clients) Open(ctx context.Context, opt ClientOptions) (*Client, error) {
	host, port, err := address(opt.Addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	client := &Client{all: c, opt: opt, name: fmt.Sprintf("%s#%d", opt.JID, len(c.clients)), changed: make(chan struct{})}
	c.clients[client.name] = client
	c.mu.Unlock()
	_, err = c.call(ctx, client.name, "open", request{
		"jid": opt.JID, "password": opt.Password, "host": host, "port": port,
		"sm": !opt.NoSM, "resume": !opt.NoResume, "mam": opt.Archive, "carbons": opt.Carbons, "presence": !opt.NoPresence,
	})
	return client, err
}

func address(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// Login is Open, then Login on the client.
func (c *Clients) Login(ctx context.Context, opt ClientOptions) (*Client, error) {
	client, err := c.Open(ctx, opt)
	if err != nil {
		return nil, err
	}
	_, err = client.Login(ctx)
	return client, err
}

// JID is the full JID that was asked for.
func (c *Client) JID() string { return c.opt.JID }

// Bare is the bare JID.
func (c *Client) Bare() string { bare, _, _ := strings.Cut(c.opt.JID, "/"); return bare }

func (c *Client) do(ctx context.Context, what string, args request) error {
	_, err := c.all.call(ctx, c.name, what, args)
	return err
}

// Login connects, and resumes the session (XEP-0198 §5) if there is one to
// resume: resumed tells.
func (c *Client) Login(ctx context.Context) (resumed bool, err error) {
	a, err := c.all.call(ctx, c.name, "login", nil)
	return a.Resumed, err
}

// LoginAt is Login at another address, another node of the server say.
func (c *Client) LoginAt(ctx context.Context, addr string) (resumed bool, err error) {
	host, port, err := address(addr)
	if err != nil {
		return false, err
	}
	a, err := c.all.call(ctx, c.name, "login", request{"host": host, "port": port})
	return a.Resumed, err
}

// CatchUp returns when the server has the acknowledgement (XEP-0198) of all that
// it had sent before.
func (c *Client) CatchUp(ctx context.Context) error { return c.do(ctx, "catch up", nil) }

// Freeze stops reading: TCP stays up and nothing is acknowledged. What is sent still goes out.
func (c *Client) Freeze(ctx context.Context) error { return c.do(ctx, "freeze", nil) }

// Thaw reads again.
func (c *Client) Thaw(ctx context.Context) error { return c.do(ctx, "thaw", nil) }

// Drop breaks the connection without a word (TCP RST).
func (c *Client) Drop(ctx context.Context) error { return c.do(ctx, "drop", nil) }

// Forget makes a client that is not connected forget its session: the next Login binds afresh.
func (c *Client) Forget(ctx context.Context) error { return c.do(ctx, "forget", nil) }

// Bye logs out.
func (c *Client) Bye(ctx context.Context) error { return c.do(ctx, "bye", nil) }

// Send sends XML as it is.
func (c *Client) Send(ctx context.Context, xml string) error {
	return c.do(ctx, "send", request{"xml": xml})
}

// Active and Inactive tell the server about the person (XEP-0352).
func (c *Client) Active(ctx context.Context) error {
	return c.Send(ctx, `<active xmlns='urn:xmpp:csi:0'/>`)
}

// Inactive is the reverse of Active.
func (c *Client) Inactive(ctx context.Context) error {
	return c.Send(ctx, `<inactive xmlns='urn:xmpp:csi:0'/>`)
}

// IQ sends a request, to the account itself where to is empty, and returns the
// answer, which may be an error stanza.
func (c *Client) IQ(ctx context.Context, to, typ, payload string) (string, error) {
	args := request{"type": typ, "xml": payload}
	if to != "" {
		args["to"] = to
	}
	a, err := c.all.call(ctx, c.name, "iq", args)
	return a.XML, err
}

// ask is IQ where only a result will do.
func (c *Client) ask(ctx context.Context, to, typ, payload string) (string, error) {
	s, err := c.IQ(ctx, to, typ, payload)
	if err != nil {
		return s, err
	}
	var iq Stanza
	if err := xml.Unmarshal([]byte(s), &iq); err != nil {
		return s, err
	}
	if iq.Type != "result" {
		return s, errors.New("lab: " + c.name + ": " + s)
	}
	return s, nil
}

func (c *Client) receive(a answer) {
	s := Stanza{XML: a.XML}
	if err := xml.Unmarshal([]byte(a.XML), &s); err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, s)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Received lists the messages and presences that were received so far.
func (c *Client) Received() []Stanza {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Stanza(nil), c.received...)
}

// Await returns the first stanza received, from the beginning on, that fits.
func (c *Client) Await(ctx context.Context, fits func(Stanza) bool) (Stanza, error) {
	seen := 0
	for {
		c.mu.Lock()
		fresh, changed := c.received[seen:], c.changed
		c.mu.Unlock()
		for _, s := range fresh {
			if fits(s) {
				return s, nil
			}
		}
		seen += len(fresh)
		select {
		case <-changed:
		case <-ctx.Done():
			return Stanza{}, fmt.Errorf("lab: %s did not receive it among %d stanzas: %w", c.name, seen, ctx.Err())
		}
	}
}

// AwaitBody is Await for a message with that body.
func (c *Client) AwaitBody(ctx context.Context, body string) (Stanza, error) {
	return c.Await(ctx, func(s Stanza) bool { return s.Body == body })
}
