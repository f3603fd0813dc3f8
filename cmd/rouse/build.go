package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rouse/business"
	"rouse/component/events"
	"rouse/component/tigase"
	"rouse/component/unifiedpush"
	"rouse/config"
	"rouse/gateway"
	"rouse/notice/emit"
	"rouse/push"
	"rouse/push/relay"
	"rouse/store"
	"rouse/store/fleet"
	"rouse/web"
)

// poll is how often a process looks for wakes that another one owes and does not
// come to sending.
const poll = time.Second

// build wires everything that a configuration asks for; nothing runs yet. It is
// the one place where rooms meet, for serve, demo and tests alike.
func build(ctx context.Context, cfg *config.Config, now func() time.Time, logs io.Writer) (_ *app, err error) {
	a := &app{level: new(slog.LevelVar), started: time.Now(), id: rand.Text(), pid: os.Getpid(), machine: machine()}
	a.level.Set(cfg.Log.SlogLevel())
	a.log = newLogger(cfg.Log, a.level, logs)
	a.cfg.Store(cfg)
	defer func() {
		if err != nil {
			a.close()
		}
	}()

	var decides atomic.Pointer[gateway.Gateway] // once there is one
	db, err := openStoreFor(ctx, &cfg.Store, storeUser{process: a.id, log: a.log, setback: func(cause string) {
		if g := decides.Load(); g != nil {
			g.Setback(cause)
		}
	}})
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

	a.member = fleet.New(fleet.Config{
		ID: a.id, Store: db, Self: a.self, Clock: fleet.NewClock(), Now: now, Logger: a.log, Duty: a.duty,
	})
	a.metrics.Fleet(a.member.Holds, func() int { return len(a.member.State().Processes) })

	requests := &events.Requests{Link: &a.link}
	third := relay.New(relayServer{requests}, a.words)
	if a.apps, err = providers(cfg, third); err != nil {
		return nil, err
	}
	if relays, ok := a.apps[""]; ok && cfg.Component != nil { // servers are asked over the link
		relays.Here = a.member.Holds
		a.apps[""] = relays
	}
	gw := gateway.Config{
		Store: a.store, Server: requests, Nodes: nodes,
		Policy: a.policy, Scarce: scarce(cfg), Senders: a.senderRate, Enrols: a.enrolment,
		Tells: a.tells, Offers: a.enabled, Parts: a.parts,
		Now: now, Rand: rand.Reader, Logger: a.log, Observer: a.metrics,
		Answered: func(wake, condition, errorType string) { third.Answer(wake, condition, errorType) },
	}
	if cfg.Store.Redis != nil {
		gw.Shared, gw.Poll = true, poll
	}
	if c := cfg.Component; c != nil {
		gw.Service, gw.Hosts, gw.Holds = c.JID, c.Hosts, a.member.Holds
		requests.From = c.JID
	}
	a.gateway = gateway.New(gw)
	decides.Store(a.gateway)
	if cfg.Web.UnifiedPush != "" {
		if a.unified, err = unifiedpush.New(unifiedpush.Config{
			Service: cfg.Component.JID, Hosts: cfg.Component.Hosts, Base: cfg.Web.UnifiedPush,
			Key: nodes.Key("unifiedpush"), Link: &a.link, Now: time.Now,
		}); err != nil {
			return nil, err
		}
	}
	if cfg.Component != nil { // what cannot be made is known now
		if _, err := newLink(a, cfg.Component, nil); err != nil {
			return nil, err
		}
	}

	a.metrics.Certificates(ends(a.apps))
	remind(a.log, ends(a.apps), time.Now())
	a.workers = push.NewWorkers(push.WorkersConfig{
		Outbox: wakeOutbox{a.gateway, a.metrics}, Apps: a.apps, Now: now, Logger: a.log,
		Observe: func(app, kind string, o push.Outcome, _ time.Duration) { a.metrics.Wake(kind, app, o.String()) },
	})

	if a.herald, err = newHerald(ctx, a, cfg, now); err != nil {
		return nil, err
	}
	if cfg.Web.Listen != "" {
		if a.listener, err = web.Listen(ctx, cfg.Web.Listen); err != nil {
			return nil, err
		}
		o := web.Options{Version: release, Started: a.started, Status: a.status, Fleet: a.fleet, Metrics: a.metrics, Log: a.log}
		o.Others = a.others(cfg)
		a.web = web.NewServer(o)
	}
	if cfg.Store.Redis == nil {
		if a.controls, err = listenControl(controlSocket(&cfg.Store)); err != nil {
			a.log.Warn("rouse devices and rouse send cannot ask this process", "err", err, "hint", "store.url with a shorter path, in a directory that rouse may write")
			a.controls, err = nil, nil
		}
	}
	return a, nil
}

// others is what the listener answers besides.
func (a *app) others(cfg *config.Config) map[string]http.Handler {
	all := make(map[string]http.Handler)
	if a.unified != nil {
		all[unifiedpush.Path] = a.unified
	}
	if a.herald != nil && cfg.Notices.TokenFile != "" {
		all[emit.Path] = a.herald.intake(cfg.Notices.Token.Reveal())
	}
	if providers := tigaseProviders(cfg); len(providers) > 0 && cfg.Component != nil {
		h := tigase.Handler(tigaseRegistrar{a}, a.log, providers...)
		for _, pattern := range tigase.Patterns(cfg.Component.JID) {
			all[pattern] = h
		}
	}
	return all
}

// machine is what this one is called, for those who look for a process.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		return "a machine without a name"
	}
	return name
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
		Providers: []string{config.APNs, config.FCM, config.WebPush, relayKind}, StoreOps: storeOps(), Apps: metricApps(cfg),
	}, counter(cfg, db))
}
