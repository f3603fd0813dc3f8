package main

import (
	"context"

	"rouse/config"
	"rouse/store"
	"rouse/web"
)

// counter counts what the store holds, for the gauges. Registrations name an
// app; the gauges want the provider behind it.
func counter(cfg *config.Config, st store.Store) web.CountFunc {
	provider := make(map[string]string)
	for _, a := range cfg.Apps {
		provider[a.Name] = a.Provider
	}
	return func(ctx context.Context) (web.Counts, error) {
		n, err := st.Counts(ctx)
		if err != nil {
			return web.Counts{}, err
		}
		registrations, err := st.CountRegistrations(ctx)
		if err != nil {
			return web.Counts{}, err
		}
		c := web.Counts{Sessions: n.Sessions, Pending: n.Pending, OldestDue: n.OldestDue, Endpoints: make(map[web.EndpointKind]int)}
		for k, n := range registrations {
			state := web.Live
			if k.Dead {
				state = web.Dead
			}
			c.Endpoints[web.EndpointKind{Provider: provider[k.App], State: state}] += n
		}
		return c, nil
	}
}
