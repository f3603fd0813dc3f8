// Package room tells notices in rooms (XEP-0045) that the component is in. A message is
// told when the room sent it back (§7.4). Whoever was put out of a room, or does not
// know any more whether they are in, goes in again.
package room

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
	"rouse/notice"
	"rouse/notice/chat"
	"rouse/notice/outbox"
)

// Link sends stanzas.
type Link interface {
	Send(ctx context.Context, e stanza.Element) error
}

// Rooms are the rooms that the component is in. Messages and presences have to be
// given to it as they come.
type Rooms struct {
	from string // our JID
	nick string
	link Link

	mu      sync.Mutex
	in      map[string]bool       // rooms that we are in
	joining map[string]chan error // those that we wait to be in
	sent    map[string]chan error // messages that we wait to see, by room and id
	nicks   map[string]string     // other than nick
	taken   map[string]bool       // rooms where somebody has our name
}

// New makes one. from is our JID, nick what we are called in rooms.
func New(from, nick string, link Link) *Rooms {
	return &Rooms{from: from, nick: nick, link: link, in: make(map[string]bool), joining: make(map[string]chan error), sent: make(map[string]chan error), nicks: make(map[string]string), taken: make(map[string]bool)}
}

// Called has us called something else than elsewhere in a room.
func (r *Rooms) Called(room, nick string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nicks[room] = nick
}

// Forget says that the link is new: rooms do not know us any more, or soon will not.
func (r *Rooms) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.in)
	for key, c := range r.joining {
		reply(c, errors.New("the link broke"))
		delete(r.joining, key)
	}
	for key, c := range r.sent {
		reply(c, errors.New("the link broke"))
		delete(r.sent, key)
	}
}

// answerIn is how long a room gets to answer.
const answerIn = 30 * time.Second

// Send tells a room. nil: the room has it.
func (r *Rooms) Send(ctx context.Context, d outbox.Delivery) error {
	room := d.Address
	if j, err := jid.Parse(room); err != nil || j.Localpart() == "" {
		return fmt.Errorf("room: %w: %q is no room", notice.ErrUndeliverable, room)
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	if err := r.enter(ctx, room); err != nil {
		return fmt.Errorf("room %s: %w", room, err)
	}
	seen := make(chan error, 1)
	key := room + " " + d.Notice.ID
	r.mu.Lock()
	r.sent[key] = seen
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.sent, key)
		r.mu.Unlock()
	}()
	m := chat.Message(r.from, room, d.Notice.ID, chat.Body(d))
	m.Attr[0].Value = "groupchat"
	if err := r.link.Send(ctx, m); err != nil {
		return fmt.Errorf("room %s: %w", room, err)
	}
	select {
	case err := <-seen:
		if err != nil {
			r.left(room)
			return fmt.Errorf("room %s: %w", room, err)
		}
		return nil
	case <-ctx.Done():
		r.left(room) // whether we are in is not known any more
		return fmt.Errorf("room %s: nobody knows whether it arrived: %w", room, ctx.Err())
	}
}

func (r *Rooms) left(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.in, room)
}

// enter goes into a room, without its history (§7.2.14).
func (r *Rooms) enter(ctx context.Context, room string) error {
	r.mu.Lock()
	if r.in[room] {
		r.mu.Unlock()
		return nil
	}
	nick := r.nicks[room]
	if nick == "" {
		nick = r.nick
	}
	if r.taken[room] {
		nick += "_"
	}
	answered := make(chan error, 1)
	r.joining[room] = answered
	r.mu.Unlock()
	err := r.link.Send(ctx, stanza.Element{Name: "presence", Attr: []stanza.Attr{{Name: "from", Value: r.from}, {Name: "to", Value: room + "/" + nick}}, Children: []stanza.Element{
		{Space: "http://jabber.org/protocol/muc", Name: "x", Children: []stanza.Element{{Space: "http://jabber.org/protocol/muc", Name: "history", Attr: []stanza.Attr{{Name: "maxstanzas", Value: "0"}}}}},
	}})
	if err == nil {
		select {
		case err = <-answered:
		case <-ctx.Done():
			err = fmt.Errorf("it does not let us in: %w", ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.joining, room)
	if err == nil {
		r.in[room] = true
	}
	return err
}

// Presence takes a presence. It reports whether that was of a room.
func (r *Rooms) Presence(from jid.JID, e *stanza.Element) bool {
	room := from.Bare().String()
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, waits := r.joining[room]
	ours := false
	for i := range e.Children {
		if e.Children[i].Is("http://jabber.org/protocol/muc#user", "x") {
			for _, c := range e.Children[i].Children {
				ours = ours || c.Name == "status" && c.Get("code") == "110" // §7.2.2: about ourselves
			}
		}
	}
	switch t := e.Get("type"); {
	case t == "error" && waits:
		condition := condition(e)
		if condition == "conflict" { // somebody has our name, perhaps ourselves before the link broke
			r.taken[room] = !r.taken[room]
		}
		reply(waiting, fmt.Errorf("it does not let us in: %s", condition))
	case t == "unavailable" && ours: // put out (§9.1), or the room is closed
		delete(r.in, room)
	case t == "" && ours && waits:
		reply(waiting, nil)
	default:
		return ours || waits
	}
	return true
}

// Message takes a message. It reports whether that was one of ours that came back.
func (r *Rooms) Message(from jid.JID, e *stanza.Element) bool {
	key := from.Bare().String() + " " + e.Get("id")
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, ok := r.sent[key]
	if !ok {
		return e.Get("type") == "groupchat"
	}
	if e.Get("type") == "error" {
		reply(waiting, fmt.Errorf("it came back: %s", condition(e)))
	} else {
		reply(waiting, nil)
	}
	return true
}

// reply answers whoever waits, once.
func reply(c chan error, err error) {
	select {
	case c <- err:
	default:
	}
}

func condition(e *stanza.Element) string {
	for i := range e.Children {
		if e.Children[i].Name != "error" {
			continue
		}
		for _, c := range e.Children[i].Children {
			if c.Space == "urn:ietf:params:xml:ns:xmpp-stanzas" && c.Name != "text" {
				return c.Name
			}
		}
	}
	return "an error"
}
