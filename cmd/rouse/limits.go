package main

import (
	"rouse/business"
	"rouse/config"
	"rouse/gateway"
)

// policy is [rules] as the rules have it, as of now: it may be read anew.
func (a *app) policy() business.Policy {
	cfg := a.cfg.Load()
	p := business.Policy{Coalesce: cfg.Rules.Coalesce, Calls: cfg.Rules.Calls, Silents: cfg.Rules.Silents}
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

// scarce tells the apps whose devices take few silent wakes: those of Apple's.
func scarce(cfg *config.Config) func(app string) bool {
	apple := make(map[string]bool)
	for _, a := range cfg.Apps {
		apple[a.Name] = a.Provider == config.APNs
	}
	return func(app string) bool { return apple[app] }
}
