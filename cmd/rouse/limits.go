package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/business"
	"rouse/config"
	"rouse/gateway"
)

// policy is [rules] as the rules have it, as of now: it may be read anew.
func (a *app) policy() business.Policy { return policyOf(a.cfg.Load()) }

func policyOf(cfg *config.Config) business.Policy {
	p := business.Policy{Coalesce: cfg.Rules.Coalesce, Grace: cfg.Rules.Grace, Calls: cfg.Rules.Calls, Silents: cfg.Rules.Silents,
		Repeat: cfg.Rules.Repeat, RepeatFor: cfg.Rules.RepeatFor, Zone: zone}
	if cfg.Component != nil {
		p.Service = cfg.Component.JID
	}
	return p
}

// senderRate is what domains may publish that are not ours.
func (a *app) senderRate() gateway.Rate {
	r := a.cfg.Load().Rules
	return gateway.Rate{PerSecond: r.SenderRate, Burst: r.SenderBurst}
}

// enrolment is what accounts and domains may register.
func (a *app) enrolment() gateway.Enrolment {
	r := a.cfg.Load().Rules
	return gateway.Enrolment{Devices: r.Devices, Account: r.Registrations, Domain: r.NewDevices}
}

// register has the gateway keep a device. Who registers too much is told to come
// again; servers and apps keep what they have.
func (a *app) register(ctx context.Context, r gateway.RegisterRequest) (node, secret string, err error) {
	node, secret, err = a.gateway.Register(ctx, r)
	var over *gateway.Limited
	if errors.As(err, &over) {
		err = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.ResourceConstraint, Text: map[string]string{
			"": fmt.Sprintf("too many registrations; again in %v", over.Again.Round(time.Second)+time.Second)}}
	}
	return node, secret, err
}

// scarce tells the apps whose devices take few silent wakes: those of Apple's.
func scarce(cfg *config.Config) func(app string) bool {
	apple := make(map[string]bool)
	for _, a := range cfg.Apps {
		apple[a.Name] = a.Provider == config.APNs
	}
	return func(app string) bool { return apple[app] }
}
