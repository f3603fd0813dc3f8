package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/appserver"
	"rouse/component/contact"
	"rouse/component/disco"
	"rouse/component/events"
	"rouse/component/forms"
	"rouse/component/p2"
	"rouse/component/people"
	"rouse/component/ping"
	"rouse/component/pubsub"
	"rouse/component/subscription"
	"rouse/component/tigase"
	"rouse/component/version"
	"rouse/config"
	"rouse/gateway"
	"rouse/push/webpush"
)

// protocols has the component answer everything that it knows. Anything else is
// answered service-unavailable by the component itself.
func protocols(c *component.Component, a *app) {
	cfg := a.cfg.Load()
	ping.Handle(c)
	version.Handle(c, version.Info{Name: "rouse", Version: release})
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: events.NS, Local: "events"}, events.Handler(a.gateway, a.log))
	nodes := slices.ContainsFunc(cfg.Apps, func(a config.App) bool { return a.Mongoose })
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: pubsub.NS, Local: "pubsub"}, pubsub.Handler(publisher{a}, nodes), pubsub.NSPush)
	if nodes {
		pubsub.HandleNodes(c)
	}

	info := disco.Info{Identity: disco.Push("rouse")}
	list := registering(a, cfg)
	if len(cfg.Component.Hosts) > 0 {
		list = append(list, people.Commands(peopleDesk{a}, cfg.Component.Admins, time.Now)...)
	}
	if len(cfg.Component.Hosts) > 0 || len(cfg.Component.Admins) > 0 || a.herald != nil {
		b := newBot(a)
		list = append(list, b.Commands()...)
		a.hear(c, b)
	}
	if len(list) > 0 {
		info.Commands = adhoc.Handle(c, a.log, list...)
	}
	c.AddFeatures(tigaseProviders(cfg)...)
	if a.unified != nil {
		a.unified.Handle(c)
	}
	if form, ok := contact.Form(contact.Addresses{Admin: cfg.Component.Contact}); ok {
		info.Forms = []forms.Form{form}
	}
	disco.Handle(c, info)
}

// registering are the commands by which devices register.
func registering(a *app, cfg *config.Config) []adhoc.Command {
	providers := served(cfg)
	list := p2.Commands(registrar{a}, cfg.Component.JID, providers...)
	list = append(list, appserver.Commands(appserverRegistrar{a}, cfg.Component.JID, providers...)...)
	list = append(list, tigase.Commands(tigaseRegistrar{a}, tigaseProviders(cfg)...)...)
	if s, ok := subscribers(a, cfg); ok {
		list = append(list, subscription.Command(s, cfg.Component.JID))
	}
	return list
}

// served lists the providers of p2 that there is an app for.
func served(cfg *config.Config) []string {
	var list []string
	for _, p := range []string{p2.FCM, p2.APNs} {
		if _, ok := defaultApp(cfg, p); ok {
			list = append(list, p)
		}
	}
	return list
}

// defaultApp is the app of a registration that names only a provider: the one
// that says default, else the first.
func defaultApp(cfg *config.Config, provider string) (name string, ok bool) {
	for _, a := range cfg.Apps {
		if a.Provider != provider {
			continue
		}
		if a.Default {
			return a.Name, true
		}
		if !ok {
			name, ok = a.Name, true
		}
	}
	return name, ok
}

// registrar keeps what registration families take, for the app that is to send.
type registrar struct{ a *app }

func (r registrar) Register(ctx context.Context, q p2.Request) (node, secret string, err error) {
	app, ok := defaultApp(r.a.cfg.Load(), q.Provider)
	if !ok {
		return "", "", fmt.Errorf("no [[app]] of provider %s", q.Provider)
	}
	return r.a.register(ctx, gateway.RegisterRequest{
		Account: q.Account, Provider: q.Provider, App: app, Token: q.Token, Device: q.Device, Channel: q.Channel, Domain: q.Domain,
	})
}

func (r registrar) Unregister(ctx context.Context, q p2.Request) (found bool, err error) {
	return ended(r.a.gateway.Unregister(ctx, gateway.RegisterRequest{
		Account: q.Account, Provider: q.Provider, Device: q.Device, Channel: q.Channel, Domain: q.Domain,
	}))
}

// subscriber keeps the subscriptions of Web Push, for the app that is to send.
type subscriber struct {
	registrar
	app      string
	provider *webpush.Provider
}

// subscribers gives one, if there is an app of Web Push.
func subscribers(a *app, cfg *config.Config) (s subscriber, ok bool) {
	name, ok := defaultApp(cfg, config.WebPush)
	if !ok {
		return s, false
	}
	provider, ok := a.apps[name].Provider.(*webpush.Provider)
	return subscriber{registrar{a}, name, provider}, ok
}

func (s subscriber) Key() string { return s.provider.PublicKey() }

func (s subscriber) Subscribe(ctx context.Context, q subscription.Request) (node, secret string, err error) {
	token, err := s.provider.Token(q.Endpoint, q.P256DH, q.Auth)
	if err != nil {
		return "", "", subscription.Unusable{Why: err.Error()}
	}
	return s.a.register(ctx, gateway.RegisterRequest{
		Account: q.Account, Provider: config.WebPush, App: s.app, Token: token, Device: q.Device,
	})
}
