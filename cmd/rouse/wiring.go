package main

import (
	"context"
	"errors"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/events"
	"rouse/config"
	"rouse/gateway"
	"rouse/push/relay"
	"rouse/session"
	"rouse/store"
	"rouse/web"
)

// The rooms know nothing of each other; what follows lets them meet.

// relayServer has server modules publish for push/relay.
type relayServer struct{ requests *events.Requests }

func (s relayServer) Publish(ctx context.Context, r relay.PublishRequest) error {
	err := s.requests.Publish(ctx, r.Host, events.Publish{
		Wake: r.Wake, User: r.User, To: session.Address{Service: r.Service, Node: r.Node}, Class: r.Class, Count: r.Count,
		Sender: r.Sender, Body: r.Body, Priority: r.Priority,
	})
	var refused xmpp.Error
	if errors.As(err, &refused) {
		return &relay.Refusal{Condition: string(refused.Condition), Type: string(refused.Type)}
	}
	return err
}

// wakeOutbox lets push.Workers work on the gateway, and measures.
type wakeOutbox struct {
	*gateway.Gateway
	metrics *web.Metrics
}

func (o wakeOutbox) Settle(ctx context.Context, j session.Job, s session.Settlement) error {
	err := o.Gateway.Settle(ctx, j, s)
	if err == nil && s.Verdict == session.Sent {
		o.metrics.WakeLatency(s.Latency)
	}
	return err
}

// timedStore measures what decisions wait for.
type timedStore struct {
	store.Store
	metrics *web.Metrics
}

func storeOps() []string { return []string{"load", "commit", "claim", "registration", "register"} }

func (s timedStore) since(op string, t time.Time) { s.metrics.StoreOp(op, time.Since(t)) }

func (s timedStore) Load(ctx context.Context, key string) (store.Owner, error) {
	defer s.since("load", time.Now())
	return s.Store.Load(ctx, key)
}

func (s timedStore) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	defer s.since("commit", time.Now())
	return s.Store.Commit(ctx, c)
}

func (s timedStore) Claim(ctx context.Context, now time.Time, lease time.Duration, max int) ([]store.Claimed, error) {
	defer s.since("claim", time.Now())
	return s.Store.Claim(ctx, now, lease, max)
}

func (s timedStore) Registration(ctx context.Context, node string) (session.Registration, error) {
	defer s.since("registration", time.Now())
	return s.Store.Registration(ctx, node)
}

func (s timedStore) Register(ctx context.Context, r session.Registration) error {
	defer s.since("register", time.Now())
	return s.Store.Register(ctx, r)
}

func metricApps(cfg *config.Config) []web.App {
	apps := []web.App{{Name: "", Provider: relayKind}}
	for _, a := range cfg.Apps {
		apps = append(apps, web.App{Name: a.Name, Provider: a.Provider})
	}
	return apps
}
