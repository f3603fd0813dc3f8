package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"mellium.im/xmpp/jid"

	"rouse/business"
	"rouse/component"
	"rouse/component/events"
	"rouse/config"
	"rouse/gateway"
	"rouse/push"
	"rouse/push/relay"
	"rouse/store"
	"rouse/web"
)

// build wires everything that a configuration asks for; nothing runs yet. It is
// the one place where rooms meet, for serve, demo and tests alike.
func build(ctx context.Context, cfg *config.Config, logs io.Writer) (_ *app, err error) {
	a := &app{level: new(slog.LevelVar), started: time.Now()}
	a.level.Set(cfg.Log.SlogLevel())
	a.log = newLogger(cfg.Log, a.level, logs)
	a.cfg.Store(cfg)
	defer func() {
		if err != nil {
			a.close()
		}
	}()

	db, err := openStore(ctx, &cfg.Store)
	if err != nil {
		return nil, err
	}
	a.store = db
	if err := finished(ctx, db); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Store.Name, err)
	}
	if cfg.Store.Redis == nil { // whoever claimed from a file is dead; on Redis others may be sending
		if err := db.EndLeases(ctx, ""); err != nil {
			return nil, err
		}
	}
	nodes, err := nodeKey(ctx, cfg.Store.KeyFile, db)
	if err != nil {
		return nil, err
	}
	a.metrics = newMetrics(cfg, db)
	a.store = timedStore{Store: db, metrics: a.metrics}

	link := new(lateLink)
	requests := &events.Requests{Link: link}
	third := relay.New(relayServer{requests})
	gw := gateway.Config{
		Store: a.store, Server: requests, Nodes: nodes,
		Policy: func() business.Policy { return business.Policy{Coalesce: a.cfg.Load().Rules.Coalesce} },
		Now:    time.Now, Rand: rand.Reader, Logger: a.log, Observer: a.metrics,
		Answered: func(wake, condition, errorType string) { third.Answer(wake, condition, errorType) },
	}
	if c := cfg.Component; c != nil {
		gw.Service, gw.Hosts = c.JID, c.Hosts
		requests.From = c.JID
	}
	a.gateway = gateway.New(gw)
	if cfg.Component != nil {
		if a.link, err = newLink(a, cfg.Component); err != nil {
			return nil, err
		}
		link.Component = a.link
	}

	apps, err := providers(cfg, third)
	if err != nil {
		return nil, err
	}
	a.workers = push.NewWorkers(push.WorkersConfig{
		Outbox: outbox{a.gateway, a.metrics}, Apps: apps, Logger: a.log,
		Observe: func(app, kind string, o push.Outcome, _ time.Duration) { a.metrics.Wake(kind, app, o.String()) },
	})

	if cfg.Web.Listen != "" {
		if a.listener, err = web.Listen(ctx, cfg.Web.Listen); err != nil {
			return nil, err
		}
		a.web = web.NewServer(web.Options{Version: release, Started: a.started, Status: a.status, Metrics: a.metrics, Log: a.log})
	}
	return a, nil
}

func newLogger(l config.Log, level slog.Leveler, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func newMetrics(cfg *config.Config, db store.Store) *web.Metrics {
	var outcomes []string
	for _, o := range push.Outcomes() {
		outcomes = append(outcomes, o.String())
	}
	return web.NewMetrics(prometheus.NewRegistry(), web.Labels{
		Version: release, Rules: business.Rules(), Outcomes: outcomes,
		Providers: []string{config.APNs, config.FCM, relayKind}, StoreOps: storeOps(), Apps: metricApps(cfg),
	}, counter(cfg, db))
}

// newLink makes the component with everything that it answers.
func newLink(a *app, c *config.Component) (*component.Component, error) {
	address, err := jid.Parse(c.JID)
	if err != nil {
		return nil, fmt.Errorf("component.jid: %w", err)
	}
	l, err := component.New(component.Config{
		JID: address, Addresses: c.Address, Secret: component.StaticSecret(c.Secret.Reveal()),
		Logger: a.log, OnState: a.onLink,
	})
	if err != nil {
		return nil, err
	}
	protocols(l, a)
	return l, nil
}
