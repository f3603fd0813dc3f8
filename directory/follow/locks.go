package follow

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
)

// failedLogins selects users with failed logins; the attribute has no order.
const failedLogins = "(&(krbLoginFailedCount=*)(!(krbLoginFailedCount=0))(|(objectClass=posixAccount)(objectClass=inetOrgPerson)))"

// pollTime is how long a server gets to answer.
const pollTime = 30 * time.Second

// polls asks another server now and then whom failed logins have locked there. It is
// no matter of alarm that it cannot be asked: the one that is followed counts for that.
func (f *Follower) polls(ctx context.Context, server string) {
	p := &lockPoll{Follower: f, server: server, name: shortName(server), seen: make(map[string]*directory.Entry)}
	failed := ""
	for ctx.Err() == nil {
		err := p.poll(ctx)
		switch {
		case err == nil && failed != "":
			f.cfg.Logger.Info("failed logins can be asked for again", "server", server)
			failed = ""
		case err != nil && ctx.Err() == nil && err.Error() != failed:
			failed = err.Error()
			f.cfg.Logger.Warn("a server cannot be asked for failed logins, trying again", "server", server, "in", f.cfg.LockPoll, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.cfg.LockPoll):
		}
	}
}

// lockPoll is what one server had to say.
type lockPoll struct {
	*Follower
	server, name string
	seen         map[string]*directory.Entry // users with failed logins there, by ID
	asked        time.Time
}

// poll asks once.
func (p *lockPoll) poll(ctx context.Context) error {
	c, host, err := connect(p.server, &p.cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	c.SetTimeout(pollTime)
	if err := p.cfg.Bind(ctx, c, host); err != nil {
		return err
	}
	r, err := c.SearchWithPaging(ldap.NewSearchRequest(p.cfg.Layout.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 30, false, failedLogins, directory.Attributes(), nil), 500)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Baseline.IsZero() {
		return nil // whom they are is not known yet
	}
	now := p.cfg.Now()
	o := p.cfg.Options
	o.Server = p.name
	first := !slices.Contains(p.state.Polled, p.name)
	found := make(map[string]*directory.Entry, len(r.Entries))
	for _, sent := range r.Entries {
		uuid, _ := hex.DecodeString(strings.ReplaceAll(sent.GetAttributeValue("entryUUID"), "-", ""))
		there := p.model.observed(uuid, sent)
		if there == nil || p.model.byID[there.ID] == nil && p.model.byDN[directory.Fold(there.DN)] == nil {
			continue
		}
		known := p.model.byID[there.ID]
		if known == nil {
			known = p.model.byDN[directory.Fold(there.DN)]
		}
		found[known.ID] = counting(known, there)
	}
	var events []directory.Event
	for id, e := range found {
		old := p.seen[id]
		if old == nil {
			old = counting(e, &directory.Entry{})
		}
		events = append(events, directory.Locks(p.model, o, counting(e, old), e, now)...)
	}
	for id, old := range p.seen {
		if known := p.model.byID[id]; found[id] == nil && known != nil {
			events = append(events, directory.Locks(p.model, o, counting(known, old), counting(known, &directory.Entry{}), now)...)
		}
	}
	for id, e := range found {
		if before := p.seen[id]; before != nil && e.Get("krblastfailedauth") == before.Get("krblastfailedauth") {
			events = append(events, directory.Ended(p.model, o, e, p.asked, now)...)
		}
	}
	p.seen, p.asked = found, now
	if first {
		p.state.Polled = append(slices.Clone(p.state.Polled), p.name)
		p.model.step.Told = told(events, now)
	} else {
		p.model.step.Events = append(p.model.step.Events, events...)
	}
	if first || len(events) > 0 {
		return p.commit(ctx)
	}
	return nil
}

// told are the keys of events that are no news.
func told(events []directory.Event, at time.Time) map[string]time.Time {
	keys := make(map[string]time.Time)
	for _, e := range events {
		keys[e.Key] = at
	}
	return keys
}
