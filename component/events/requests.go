package events

import (
	"context"
	"strconv"
	"time"

	"rouse/component/stanza"
	"rouse/session"
)

// Requester sends an IQ and gives the result's payload, or the error it was
// answered with. Package component has one.
type Requester interface {
	Request(ctx context.Context, iq stanza.Element) (stanza.Element, error)
}

// Requests asks things of server modules.
type Requests struct {
	From string // our JID
	Link Requester
}

// answerIn is how long a module may take: it only takes the request, and works later.
const answerIn = 15 * time.Second

// Picture asks a host for the full picture, or one node of its cluster.
func (r *Requests) Picture(ctx context.Context, host, node string) error {
	ask := stanza.Element{Space: NS, Name: "picture"}
	if node != "" {
		ask.Attr = []stanza.Attr{{Name: "node", Value: node}}
	}
	return r.set(ctx, host, ask)
}

// Woken tells a host that a hibernated session was woken.
func (r *Requests) Woken(ctx context.Context, host, user, sid string) error {
	return r.set(ctx, host, stanza.Element{Space: NS, Name: "woken", Children: []stanza.Element{{
		Space: NS, Name: "session", Attr: []stanza.Attr{{Name: "user", Value: user}, {Name: "sid", Value: sid}},
	}}})
}

// Publish is what a host is to publish to a third party's push service.
type Publish struct {
	Wake, User string
	To         session.Address
	Class      session.Class
	Count      int
	Sender     bool   // name who wrote last
	Body       string // in place of what was written; empty: nothing
	Priority   string // high or low (tigase:push:priority:0); empty: nothing is said
}

// Publish has a host publish. The service's answer comes as an event with the
// same wake.
func (r *Requests) Publish(ctx context.Context, host string, p Publish) error {
	ask := stanza.Element{Space: NS, Name: "publish", Attr: []stanza.Attr{
		{Name: "wake", Value: p.Wake}, {Name: "user", Value: p.User},
		{Name: "service", Value: p.To.Service}, {Name: "node", Value: p.To.Node},
		{Name: "class", Value: p.Class.String()}, {Name: "count", Value: strconv.Itoa(p.Count)},
	}}
	if p.Sender {
		ask.Set("sender", "true")
	}
	if p.Body != "" {
		ask.Set("body", p.Body)
	}
	if p.Priority != "" {
		ask.Set("priority", p.Priority)
	}
	return r.set(ctx, host, ask)
}

func (r *Requests) set(ctx context.Context, host string, payload stanza.Element) error {
	_, err := r.request(ctx, "set", host, payload)
	return err
}

func (r *Requests) request(ctx context.Context, kind, host string, payload stanza.Element) (stanza.Element, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	return r.Link.Request(ctx, stanza.Element{Name: "iq", Attr: []stanza.Attr{
		{Name: "type", Value: kind}, {Name: "from", Value: r.From}, {Name: "to", Value: host},
	}, Children: []stanza.Element{payload}})
}
