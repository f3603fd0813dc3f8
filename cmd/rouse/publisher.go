package main

import (
	"context"
	"slices"
	"strings"

	"rouse/component/forms"
	"rouse/component/p2"
	"rouse/component/pubsub"
	"rouse/config"
	"rouse/gateway"
	"rouse/push/relay"
	"rouse/session"
)

// publisher answers publishes from the gateway.
type publisher struct{ a *app }

func (p publisher) Publish(ctx context.Context, from string, n pubsub.Notice) pubsub.Verdict {
	r := gateway.PublishRequest{
		From: from, Node: n.Node, Secret: n.Options.Get("secret"), Class: n.Class, Count: n.Count, Content: n.Content,
		Offer: offer(p.a.cfg.Load(), n.Node, n.Options),
	}
	if r.Offer != nil && r.Offer.Family == session.Mongoose && n.Options.Get("silent") == "true" {
		r.Class = session.Silent // the app reads what there is, and decides what it shows
	}
	switch p.a.gateway.Publish(ctx, r) {
	case gateway.Accepted:
		return pubsub.Accepted
	case gateway.NoNode:
		return pubsub.NoNode
	case gateway.Forbidden:
		return pubsub.Forbidden
	}
	return pubsub.Later
}

// offer reads what publish-options say of a device that nobody registers; nil:
// nothing that an app here could do with.
func offer(cfg *config.Config, node string, options forms.Form) *gateway.Offer {
	if token, service := options.Get("device_id"), options.Get("service"); token != "" && service != "" {
		for _, a := range cfg.Apps {
			if a.Mongoose && a.Provider == service && suits(&a, options) && p2.Token(token) {
				return &gateway.Offer{Family: session.Mongoose, App: a.Name, Token: token}
			}
		}
		return nil
	}
	return ofModule(cfg, node, options.Get("pushModule"))
}

// ofModule is what a device token says under which nobody registers.
func ofModule(cfg *config.Config, node, module string) *gateway.Offer {
	if module == "" {
		module = "default"
	}
	for _, a := range cfg.Apps {
		if slices.Contains(a.FpushModules, module) && tokenLike(a.Provider, node) {
			return &gateway.Offer{Family: session.Fpush, App: a.Name, Token: node}
		}
	}
	return nil
}

// suits reports whether an app is what MongooseIM's options mean.
func suits(a *config.App, options forms.Form) bool {
	if a.Provider != config.APNs {
		return true
	}
	environment := config.Production
	if options.Get("mode") == "dev" {
		environment = config.Sandbox
	}
	topic := options.Get("topic")
	return a.Environment == environment && (topic == "" || topic == a.Topic)
}

// tokenLike reports whether a node looks like a provider's token: whoever only
// guesses makes no registration.
func tokenLike(provider, node string) bool {
	switch provider {
	case config.APNs:
		return len(node) >= 64 && len(node) <= 200 && len(node)%2 == 0 && strings.Trim(node, "0123456789abcdefABCDEF") == ""
	case config.FCM:
		return len(node) >= 100 && strings.Contains(node, ":") && p2.Token(node)
	}
	return false
}

// enabled is what can be told of a node that was enabled.
func (a *app) enabled(node, module string) *gateway.Offer {
	return ofModule(a.cfg.Load(), node, module)
}

// tells reports whether an app's devices are told who wrote what.
func (a *app) tells(name string) bool {
	for _, app := range a.cfg.Load().Apps {
		if app.Name == name {
			return app.Content
		}
	}
	return false
}

// words is what third parties' push services are told.
func (a *app) words() relay.Words {
	r := a.cfg.Load().Relay
	return relay.Words{Sender: r.Sender, Body: r.Body}
}
