package component

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/stanza"
)

// Component is a component on its server. Register handlers, then call Run.
// Safe for concurrent use.
type Component struct {
	cfg Config
	log *slog.Logger

	mu       sync.Mutex // guards the five below, and cfg.Rand
	handlers map[handlerKey]IQHandler
	message  MessageHandler
	presence MessageHandler
	features map[string]struct{}
	ran      bool

	link atomic.Pointer[link] // nil while there is none
	work *workers

	cut    context.Context // ends by Cut
	cutNow context.CancelFunc
}

type handlerKey struct {
	typ     xmpp.IQType
	payload xml.Name
}

// New returns a component that is not connected yet. It fails if the
// configuration lacks something.
func New(cfg Config) (*Component, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Component{
		cfg: cfg, log: cfg.Logger,
		handlers: make(map[handlerKey]IQHandler),
		features: make(map[string]struct{}),
		work:     newWorkers(cfg.Workers, bounds{cfg.MaxUnanswered, cfg.MaxPerOwner, cfg.MaxHeld}),
	}
	c.cut, c.cutNow = context.WithCancel(context.Background())
	return c, nil
}

// JID returns the component's address.
func (c *Component) JID() jid.JID { return c.cfg.JID }

// HandleIQ has h answer the IQs of a type (GetIQ or SetIQ) whose payload has
// the name, and adds the features to what the component says of itself
// (XEP-0030 §3.1). It is meant for the time before Run, and panics if the
// payload has a handler already.
func (c *Component) HandleIQ(t xmpp.IQType, payload xml.Name, h IQHandler, features ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := handlerKey{t, payload}
	if _, taken := c.handlers[key]; taken {
		panic(fmt.Sprintf("component: two handlers for %s of {%s}%s", t, payload.Space, payload.Local))
	}
	c.handlers[key] = h
	c.addFeatures(features)
}

// HandleMessage has h take all messages. Without a handler they are ignored.
func (c *Component) HandleMessage(h MessageHandler, features ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.message != nil {
		panic("component: two handlers for messages")
	}
	c.message = h
	c.addFeatures(features)
}

// HandlePresence has h take all presences. Without a handler they are ignored.
func (c *Component) HandlePresence(h MessageHandler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.presence != nil {
		panic("component: two handlers for presences")
	}
	c.presence = h
}

// AddFeatures adds to what the component says of itself.
func (c *Component) AddFeatures(features ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addFeatures(features)
}

func (c *Component) addFeatures(features []string) {
	for _, f := range features {
		c.features[f] = struct{}{}
	}
}

// Features returns what was registered, sorted.
func (c *Component) Features() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]string, 0, len(c.features))
	for f := range c.features {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// Cut ends Run at once, or spares it the rest of its drain: the connection is
// closed without a word, and handlers are told by their context; what they still
// answer goes nowhere. It is for a process that may not have the link any more.
func (c *Component) Cut() { c.cutNow() }

// Connected reports whether the link is up.
func (c *Component) Connected() bool { return c.link.Load() != nil }

// ErrDisconnected says that the link is down, or went down before the answer.
var ErrDisconnected = errors.New("component: not connected to the server")

// ErrTooLarge says that a stanza is larger than Config.MaxSent, so that the
// server would end the stream.
var ErrTooLarge = errors.New("component: stanza too large for the server")

// Send hands a stanza (iq, message or presence) to the writer. The attribute
// from is added if missing, and must be of the component's domain. It waits
// while much is unwritten, and returns ErrDisconnected, ErrTooLarge, the
// error of ctx, or what is wrong with the stanza. A nil error does not mean
// that the stanza arrived.
func (c *Component) Send(ctx context.Context, e stanza.Element) error {
	b, err := c.encode(e)
	if err != nil {
		return err
	}
	l := c.link.Load()
	if l == nil {
		return ErrDisconnected
	}
	return l.out.send(ctx, b)
}

// encode returns the bytes of a stanza that no server ends the stream for:
// Prosody does so at a wrong sender, an unknown stanza and one too large.
func (c *Component) encode(e stanza.Element) ([]byte, error) {
	if e.Space != "" && e.Space != stanza.NSClient && e.Space != stanza.NSAccept || e.Name != "iq" && e.Name != "message" && e.Name != "presence" {
		return nil, fmt.Errorf("component: {%s}%s is not a stanza", e.Space, e.Name)
	}
	switch from := e.Get("from"); {
	case from == "":
		e.Attr = slices.Clone(e.Attr)
		e.Set("from", c.cfg.JID.String())
	case !c.ours(from):
		return nil, fmt.Errorf("component: stanza from %q, which is not %s", from, c.cfg.JID)
	}
	b := stanza.AppendElement(nil, e)
	if len(b) > c.cfg.MaxSent {
		return nil, ErrTooLarge
	}
	return b, nil
}

// ours reports whether an address is within the component's domain.
func (c *Component) ours(address string) bool {
	j, err := jid.Parse(address)
	return err == nil && j.Domainpart() == c.cfg.JID.Domainpart()
}

// Request sends an IQ of type get or set and waits for its answer, which it
// returns whole. The id is set here, to 128 random bits, and only an answer
// from whom the request was sent to is taken. An answer of type error is
// returned as an error of mellium's type stanza.Error; otherwise the error is
// one of Send's, or ErrDisconnected if the link broke meanwhile. ctx should
// have a deadline: nobody has to answer. It may be called from handlers.
func (c *Component) Request(ctx context.Context, e stanza.Element) (stanza.Element, error) {
	to, err := jid.Parse(e.Get("to"))
	if err != nil {
		return stanza.Element{}, fmt.Errorf("component: request to %q: %w", e.Get("to"), err)
	}
	if t := xmpp.IQType(e.Get("type")); e.Name != "iq" || t != xmpp.GetIQ && t != xmpp.SetIQ {
		return stanza.Element{}, fmt.Errorf("component: %s of type %q is not a request", e.Name, t)
	}
	id, err := c.NewID()
	if err != nil {
		return stanza.Element{}, err
	}
	e.Attr = slices.Clone(e.Attr)
	e.Set("id", id)
	b, err := c.encode(e)
	if err != nil {
		return stanza.Element{}, err
	}
	l := c.link.Load()
	if l == nil {
		return stanza.Element{}, ErrDisconnected
	}
	answered, err := l.requests.add(id, to)
	if err != nil {
		return stanza.Element{}, err
	}
	defer l.requests.remove(id)
	if err := l.out.send(ctx, b); err != nil {
		return stanza.Element{}, err
	}
	select {
	case answer, ok := <-answered:
		switch {
		case !ok:
			return stanza.Element{}, ErrDisconnected
		case answer.Get("type") == string(xmpp.ErrorIQ):
			return stanza.Element{}, stanza.ErrorOf(&answer)
		}
		return answer, nil
	case <-ctx.Done():
		return stanza.Element{}, ctx.Err()
	}
}

// NewID returns an id that nobody can guess: 128 random bits in hexadecimal.
func (c *Component) NewID() (string, error) {
	var b [16]byte
	if err := c.random(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// randomFraction returns a number in [0,1).
func (c *Component) randomFraction() float64 {
	var b [8]byte
	if c.random(b[:]) != nil {
		return 0.5
	}
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
}

func (c *Component) random(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.ReadFull(c.cfg.Rand, b); err != nil {
		return fmt.Errorf("component: no randomness: %w", err)
	}
	return nil
}
