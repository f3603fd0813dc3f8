package events

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
	"rouse/session"
)

// MaxEvents bounds a batch; modules send at most 100.
const MaxEvents = 1000

// maxValue bounds, in bytes, what clients choose and accounts keep: nodes,
// resources, keys. An event that is longer is passed over; modules send none.
const maxValue = 4096

var kinds = session.Kinds()

// Parse reads a batch that a host sent. Elements and attributes that it does not
// know are passed over; what it knows must be well-formed. The errors are for
// the operator of the module: they name the place.
func Parse(host string, payload *stanza.Element) (session.Batch, error) {
	b := session.Batch{Host: host, Node: payload.Get("node")}
	if !isNode(b.Node) {
		return b, fmt.Errorf("node=%.40q is not the name of a node", b.Node)
	}
	var err error
	if b.Epoch, err = number(payload, "epoch", true); err != nil {
		return b, err
	}
	if b.Seq, err = number(payload, "seq", true); err != nil {
		return b, err
	}
	if len(payload.Children) > MaxEvents {
		return b, fmt.Errorf("%d events in one batch, at most %d are taken", len(payload.Children), MaxEvents)
	}
	b.Events = make([]session.Event, 0, len(payload.Children))
	for i := range payload.Children {
		c := &payload.Children[i]
		if c.Space != NS || !slices.Contains(kinds, session.Kind(c.Name)) || tooLong(c) {
			continue
		}
		e, err := event(host, b.Epoch, c)
		if err != nil {
			return b, fmt.Errorf("event %d, <%s/>: %w", i+1, c.Name, err)
		}
		if e.Kind != session.Left {
			e.Node = b.Node
		}
		b.Events = append(b.Events, e)
	}
	return b, nil
}

// maxNode bounds the name of a node of a cluster; stores file under it.
const maxNode = 255

func isNode(s string) bool {
	return len(s) <= maxNode && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func tooLong(c *stanza.Element) bool {
	for _, a := range c.Attr {
		if len(a.Value) > maxValue {
			return true
		}
	}
	for i := range c.Children {
		if tooLong(&c.Children[i]) {
			return true
		}
	}
	return false
}

func event(host string, epoch uint64, c *stanza.Element) (session.Event, error) {
	e := session.Event{
		Kind: session.Kind(c.Name), Session: c.Get("sid"), Epoch: epoch,
		Resource: c.Get("resource"), Client: c.Get("client"), Key: c.Get("key"), Tag: tag(c, "tag"), Chat: tag(c, "chat"), Stranger: isTrue(c, "stranger"),
		Address: session.Address{Service: c.Get("service"), Node: c.Get("node")},
		Secret:  c.Get("secret"), Module: c.Get("module"), Reason: c.Get("reason"),
		Wake: c.Get("wake"), Error: c.Get("error"), ErrorType: c.Get("error-type"),
	}
	if user := c.Get("user"); user != "" {
		j, err := jid.New(user, host, "")
		if err != nil {
			return e, fmt.Errorf("user: %w", err)
		}
		e.Account = j.String()
	} else if needsUser(e.Kind) {
		return e, errors.New("user is missing")
	}
	if e.Session == "" && needsSession(e.Kind) {
		return e, errors.New("sid is missing")
	}
	if e.Kind == session.Left {
		e.Node, e.Address = e.Address.Node, session.Address{}
		if e.Node == "" || !isNode(e.Node) {
			return e, errors.New("node is missing, or is not the name of a node")
		}
	}
	if e.Address.Service == "" && needsAddress(e.Kind) {
		return e, errors.New("service is missing")
	}
	var err error
	for _, f := range []struct {
		name string
		to   *uint64
	}{{"epoch", &e.Epoch}, {"n", &e.N}, {"out", &e.Out}, {"acked", &e.Acked}} {
		if c.Get(f.name) == "" {
			continue
		}
		if *f.to, err = number(c, f.name, true); err != nil {
			return e, err
		}
	}
	if e.Epoch > epoch {
		return e, errors.New("epoch is later than the batch's")
	}
	if t, err := number(c, "t", false); err == nil && t > 0 {
		e.At = time.UnixMilli(int64(min(t, 1<<52)))
	}
	if t, err := number(c, "since", false); err == nil && t > 0 {
		e.Since = time.UnixMilli(int64(min(t, 1<<52)))
	}
	if s := c.Get("class"); s != "" {
		if e.Class, err = session.ParseClass(s); err != nil {
			return e, err
		}
	}
	if s := c.Get("state"); s != "" {
		if e.State, err = session.ParseState(s); err != nil {
			return e, err
		}
	}
	return e, children(&e, c)
}

func children(e *session.Event, c *stanza.Element) error {
	for i := range c.Children {
		x := &c.Children[i]
		if x.Space != NS {
			continue
		}
		switch x.Name {
		case "unread":
			u := session.Unread{Key: x.Get("key"), Tag: tag(x, "tag"), Chat: tag(x, "chat"), Stranger: isTrue(x, "stranger")}
			var err error
			if u.Class, err = session.ParseClass(x.Get("class")); err != nil {
				return fmt.Errorf("<unread/>: %w", err)
			}
			if u.Last, err = number(x, "last", true); err != nil {
				return fmt.Errorf("<unread/>: %w", err)
			}
			n, err := number(x, "count", false)
			if err != nil {
				return fmt.Errorf("<unread/>: %w", err)
			}
			u.Count = int(min(n, 1<<20))
			e.Unread = append(e.Unread, u)
		case "filter":
			e.Filter = filter(x)
		case "sealed":
			if s, ok := sealed(x); ok && len(e.Sealed) < maxSealed {
				e.Sealed = append(e.Sealed, s)
			}
		case "heard":
			e.Heard = append(e.Heard, x.Get("sid"))
		case "published":
			e.Published = append(e.Published, session.Address{Service: x.Get("service"), Node: x.Get("node")})
		}
	}
	return nil
}

// maxSealed bounds the devices for which one event has something encrypted; modules
// send it for three.
const maxSealed = 8

// sealed reads what a server encrypted for a device; what cannot be that is passed over.
func sealed(x *stanza.Element) (session.Sealed, bool) {
	s := session.Sealed{Address: session.Address{Service: x.Get("service"), Node: x.Get("node")}, Encrypted: x.Get("data"), IV: x.Get("iv")}
	iv, bad := base64.StdEncoding.DecodeString(s.IV)
	data, worse := base64.StdEncoding.DecodeString(s.Encrypted)
	return s, bad == nil && worse == nil && len(iv) == 12 && len(data) > 16 && s.Address.Service != ""
}

func needsUser(k session.Kind) bool {
	return k != session.PictureOn && k != session.PictureOff && k != session.Left && k != session.Answered
}

func needsSession(k session.Kind) bool {
	switch k {
	case session.Bind, session.CSI, session.Delay, session.Late, session.Heard, session.Hibernate,
		session.Queue, session.Resume, session.Read, session.Taken, session.End, session.PictureRow:
		return true
	}
	return false
}

func needsAddress(k session.Kind) bool {
	switch k {
	case session.Enable, session.Disable, session.Published, session.StoredRow:
		return true
	}
	return false
}

// number reads a decimal attribute; absent is 0 unless it is needed.
func number(c *stanza.Element, name string, needed bool) (uint64, error) {
	s := c.Get(name)
	if s == "" && !needed {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s=%q is not a decimal number", name, s)
	}
	return n, nil
}

// tag reads tag or chat; what is none is left out.
func tag(c *stanza.Element, name string) string {
	s := c.Get(name)
	if b, err := hex.DecodeString(s); err != nil || len(b) != 6 {
		return ""
	}
	return strings.ToLower(s)
}
