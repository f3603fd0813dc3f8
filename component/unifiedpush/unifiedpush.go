package unifiedpush

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/stanza"
)

// NS is the namespace, and the feature.
const NS = "http://gultsch.de/xmpp/drafts/unified-push"

// Life is how long an address is good for. Clients renew theirs in the last day.
const Life = 30 * 24 * time.Hour

const answerIn = 20 * time.Second // from a client, which may be on a slow network

// Requester sends an IQ and gives the result's payload, or the error it was
// answered with. Package component has one.
type Requester interface {
	Request(ctx context.Context, iq stanza.Element) (stanza.Element, error)
}

// Config says who may have addresses, and how they begin.
type Config struct {
	Service string    // our JID
	Base    string    // what addresses begin with, without a slash at the end
	Hosts   []string  // whose users may have addresses
	Key     [32]byte  // that tokens are sealed with
	Link    Requester // to the clients
	Now     func() time.Time
}

// Transport gives addresses out, and carries what comes to them.
type Transport struct {
	cfg   Config
	seal  sealer
	slots chan struct{} // of the pushes under way
}

// New makes a transport.
func New(cfg Config) (*Transport, error) {
	s, err := newSealer(cfg.Key)
	return &Transport{cfg: cfg, seal: s, slots: make(chan struct{}, maxPushes)}, err
}

// Handle has c give addresses out.
func (t *Transport) Handle(c *component.Component) {
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: NS, Local: "register"}, component.Sync(t.register), NS)
}

func (t *Transport) register(_ context.Context, iq component.IQ) component.Answer {
	to := target{client: iq.From, until: t.cfg.Now().Add(Life).Truncate(time.Second)}
	var app, instance bool
	to.application, app = parseHash(iq.Payload.Get("application"))
	to.instance, instance = parseHash(iq.Payload.Get("instance"))
	switch {
	case iq.From.Localpart() == "" || !slices.Contains(t.cfg.Hosts, iq.From.Domainpart()):
		return component.Fail(xmpp.Auth, xmpp.Forbidden, "addresses are for the users of this server")
	case !app || !instance:
		return component.Fail(xmpp.Modify, xmpp.BadRequest, "application and instance have to be 32 bytes in base64")
	}
	return component.Result(stanza.Element{Space: NS, Name: "registered", Attr: []stanza.Attr{
		{Name: "endpoint", Value: t.cfg.Base + Path + t.seal.seal(to)},
		{Name: "expiration", Value: to.until.UTC().Format(time.RFC3339)},
	}})
}

// outcome is what became of a push.
type outcome uint8

const (
	taken   outcome = iota // the client has it
	gone                   // there is no such app, and there will be none
	away                   // the client is not there just now
	refused                // it did not like it
)

// push has the client have it. The error is for the log.
func (t *Transport) push(ctx context.Context, to target, body []byte) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	_, err := t.cfg.Link.Request(ctx, stanza.Element{Name: "iq", Attr: []stanza.Attr{
		{Name: "type", Value: "set"}, {Name: "from", Value: t.cfg.Service}, {Name: "to", Value: to.client.String()},
	}, Children: []stanza.Element{{
		Space: NS, Name: "push", Text: base64.StdEncoding.EncodeToString(body), Attr: []stanza.Attr{
			{Name: "application", Value: formatHash(to.application)}, {Name: "instance", Value: formatHash(to.instance)},
		},
	}}})
	var answer xmpp.Error
	switch {
	case err == nil:
		return taken, nil
	case !errors.As(err, &answer):
		return away, err // no answer: the link is down, or the client slow
	case answer.Condition == xmpp.ItemNotFound, answer.Condition == xmpp.FeatureNotImplemented:
		return gone, err
	case answer.Condition == xmpp.ServiceUnavailable, answer.Condition == xmpp.RecipientUnavailable,
		answer.Type == xmpp.Wait, strings.HasPrefix(string(answer.Condition), "remote-server-"):
		return away, err
	}
	return refused, err
}
