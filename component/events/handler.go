package events

import (
	"context"
	"log/slog"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/session"
)

// Taker applies batches.
type Taker interface {
	// Reports says whether a host's module may report events.
	Reports(host string) bool
	// Take returns when the batch is durable.
	Take(ctx context.Context, b session.Batch) error
}

// Handler answers batches: with a result when they are durable, never earlier.
func Handler(t Taker, log *slog.Logger) component.IQHandler {
	return component.Sync(func(ctx context.Context, iq component.IQ) component.Answer {
		host := iq.From.String()
		if !isDomain(iq.From) || !t.Reports(host) {
			log.Warn("events from somebody who may not report any", "from", host,
				"hint", "if this is a host of yours, add it to component.hosts")
			return component.Fail(xmpp.Auth, xmpp.Forbidden, "")
		}
		b, err := Parse(host, &iq.Payload)
		if err != nil {
			log.Error("a batch of events was not understood and is dropped", "host", host, "err", err,
				"hint", "is mod_rouse on the server as old as this rouse?")
			return component.Fail(xmpp.Modify, xmpp.BadRequest, "")
		}
		if err := t.Take(ctx, b); err != nil {
			log.Error("a batch of events was not taken; the server sends it again", "host", host, "err", err)
			return component.Fail(xmpp.Wait, xmpp.InternalServerError, "")
		}
		return component.Done()
	})
}

func isDomain(j jid.JID) bool { return j.Equal(j.Domain()) }
