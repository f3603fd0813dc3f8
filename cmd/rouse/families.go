package main

import (
	"context"
	"errors"
	"fmt"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/appserver"
	"rouse/component/tigase"
	"rouse/config"
	"rouse/gateway"
	"rouse/session"
)

// ended tells whether there was a registration, from what the gateway says of its
// end.
func ended(err error) (found bool, _ error) {
	if errors.Is(err, gateway.ErrUnknown) {
		return false, nil
	}
	return err == nil, err
}

// appserverRegistrar keeps what clients of mod_push_appserver register.
type appserverRegistrar struct{ a *app }

func (r appserverRegistrar) request(q appserver.Request) gateway.RegisterRequest {
	return gateway.RegisterRequest{
		Family: session.Appserver, Account: q.Account, Provider: q.Provider, Token: q.Token, Node: q.Node, Device: q.Device,
	}
}

func (r appserverRegistrar) Register(ctx context.Context, q appserver.Request) (secret string, err error) {
	to := r.request(q)
	var ok bool
	if to.App, ok = defaultApp(r.a.cfg.Load(), q.Provider); !ok {
		return "", fmt.Errorf("no [[app]] of provider %s", q.Provider)
	}
	_, secret, err = r.a.register(ctx, to)
	if errors.Is(err, gateway.ErrTaken) {
		return "", xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.Conflict, Text: map[string]string{"": "the node is another device's"}}
	}
	return secret, err
}

func (r appserverRegistrar) Unregister(ctx context.Context, q appserver.Request) (found bool, err error) {
	return ended(r.a.gateway.Unregister(ctx, r.request(q)))
}

// tigaseRegistrar keeps what Siskin and its kin register.
type tigaseRegistrar struct{ a *app }

func (r tigaseRegistrar) request(q tigase.Request) gateway.RegisterRequest {
	return gateway.RegisterRequest{
		Family: session.Tigase, Account: q.Account, Provider: q.Provider, Token: q.Token, Calls: q.Calls, Device: q.Device,
	}
}

func (r tigaseRegistrar) Register(ctx context.Context, q tigase.Request) (node string, err error) {
	to := r.request(q)
	for _, a := range r.a.cfg.Load().Apps {
		if a.TigaseProvider == q.Provider {
			to.App = a.Name
		}
	}
	if to.App == "" {
		return "", fmt.Errorf("no [[app]] with tigase_provider %q", q.Provider)
	}
	node, _, err = r.a.register(ctx, to)
	return node, err
}

func (r tigaseRegistrar) Unregister(ctx context.Context, q tigase.Request) (found bool, err error) {
	return ended(r.a.gateway.Unregister(ctx, r.request(q)))
}

// tigaseProviders are the ids that are announced.
func tigaseProviders(cfg *config.Config) []string {
	var list []string
	for _, a := range cfg.Apps {
		if a.TigaseProvider != "" {
			list = append(list, a.TigaseProvider)
		}
	}
	return list
}
