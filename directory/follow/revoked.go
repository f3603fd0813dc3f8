package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
)

// revokedOnes selects what FreeIPA's CA (Dogtag) keeps of certificates that it revoked.
const revokedOnes = "(&(objectClass=certificateRecord)(certStatus=REVOKED))"

// theCA is what the state calls the CA among those that were polled.
const theCA = "ca"

// revocations asks now and then which certificates the CA revoked.
func (f *Follower) revocations(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Sweep)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		server := f.cfg.Servers[i%len(f.cfg.Servers)]
		err := f.revoked(ctx, server)
		if err != nil && ctx.Err() == nil {
			f.cfg.Logger.Warn("the CA cannot be asked for revoked certificates, trying again", "server", server, "in", f.cfg.Sweep, "err", err)
		} else {
			i-- // it is asked again
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-f.ready:
		}
	}
}

// revoked asks once. What was revoked before the first time is no news.
func (f *Follower) revoked(ctx context.Context, server string) error {
	f.mu.Lock()
	known := !f.state.Baseline.IsZero()
	f.mu.Unlock()
	if !known {
		return nil // whose they are is not known yet
	}
	c, host, err := connect(server, &f.cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	c.SetTimeout(pollTime)
	if err := f.cfg.Bind(ctx, c, host); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	r, err := c.SearchWithPaging(ldap.NewSearchRequest(f.cfg.CA, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, revokedOnes, []string{"userCertificate;binary", "userCertificate"}, nil), 500)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Now()
	var events []directory.Event
	var bad error
	for _, e := range r.Entries {
		for _, attr := range []string{"userCertificate;binary", "userCertificate"} {
			for _, der := range e.GetRawAttributeValues(attr) {
				ev, err := directory.Revoked(der, f.model.called, now)
				switch {
				case err != nil:
					bad = errors.Join(bad, fmt.Errorf("%s: %w", e.DN, err))
				case !f.told[ev.Key]:
					events = append(events, ev)
				}
			}
		}
	}
	first := !slices.Contains(f.state.Polled, theCA)
	if first {
		f.state.Polled = append(slices.Clone(f.state.Polled), theCA)
		f.model.step.Told = told(events, now)
		for key := range f.model.step.Told {
			f.told[key] = true
		}
	} else {
		f.model.step.Events = append(f.model.step.Events, events...)
	}
	if first || len(events) > 0 {
		return errors.Join(bad, f.commit(ctx))
	}
	return bad
}

// called gives the user, host or service of that name.
func (m *model) called(name string) *directory.Entry {
	if e := m.byUID[name]; e != nil {
		return e
	}
	for _, e := range m.entries {
		if (e.Type == directory.Host || e.Type == directory.Service) && e.Name() == name {
			return e
		}
	}
	return nil
}
