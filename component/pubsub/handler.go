package pubsub

import (
	"context"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
)

// Verdict is what became of a publish.
type Verdict uint8

const (
	Accepted  Verdict = iota // delivered, or owed durably
	Later                    // not now: a passing fault, or one of ours
	NoNode                   // no such device
	Forbidden                // not with this secret, or not from there
)

// Publisher wakes the device behind a node, or owes it durably.
type Publisher interface {
	Publish(ctx context.Context, from string, n Notice) Verdict
}

// Answer is the one table of what a publish is answered with. Servers delete a
// registration for an error: ejabberd at the first that is not of type wait,
// Prosody after 16 of those, MongooseIM at the first cancel, Tigase by the
// condition whatever the type. So a fault of ours is wait, with a condition that
// Tigase forgives.
func Answer(v Verdict) component.Answer {
	switch v {
	case Accepted:
		return component.Done()
	case NoNode:
		return component.Fail(xmpp.Cancel, xmpp.ItemNotFound, "")
	case Forbidden:
		return component.Fail(xmpp.Auth, xmpp.Forbidden, "")
	}
	return component.Fail(xmpp.Wait, xmpp.InternalServerError, "")
}

// Handler takes publishes. They wait for a commit: each in a goroutine of its
// own, bounded by the component's count of unanswered IQs, so that many share one.
// With nodes, clients may make theirs first (HandleNodes).
func Handler(p Publisher, nodes bool) component.IQHandler {
	return func(ctx context.Context, iq component.IQ, reply func(component.Answer)) {
		n, ok := Parse(&iq.Payload)
		switch {
		case !ok && nodes && iq.Payload.Child(NS, "create") != nil:
			reply(named(iq.Payload.Child(NS, "create").Get("node")))
		case !ok:
			reply(component.Fail(xmpp.Cancel, xmpp.FeatureNotImplemented, ""))
		case iq.From.Resourcepart() != "" || iq.From.Localpart() != "":
			reply(Answer(Forbidden)) // XEP-0357 §7: the server publishes, not a user
		case n.Node == "":
			reply(Answer(NoNode))
		default:
			go func() { reply(Answer(p.Publish(ctx, iq.From.Domainpart(), n))) }()
		}
	}
}
