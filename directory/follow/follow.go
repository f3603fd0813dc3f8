package follow

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"rouse/directory"
	"rouse/directory/snapshot"
)

// Config is what a follower works with. Zero values of the optional fields mean the
// default that is named.
type Config struct {
	Servers  []string // ldap://, ldaps:// or ldapi:// URLs, tried in turn
	StartTLS bool
	TLS      *tls.Config // for ldaps and StartTLS; nil: the system's
	Bind     Bind
	Layout   directory.Layout
	Options  directory.Options

	LockServers []string      // other servers that are asked whom failed logins have locked there
	LockPoll    time.Duration // how often; 30 s
	Degraded    time.Duration // administrators are told if nothing is followed for so long; 5 min

	CA string // where FreeIPA's CA keeps certificates: o=ipaca; empty: what it revokes is not told

	Reconcile time.Duration    // a full refresh is made after that at the latest; 12 h
	Sweep     time.Duration    // how often is looked for what runs out; 5 min
	Expiry    directory.Expiry // Days and MaxAge of it
	GroupDays []GroupDays      // for members of groups other days; the first group counts
	Now       func() time.Time
	Logger    *slog.Logger
	Fresh     func() // events came; not called while a step is written
}

// GroupDays are the days on which the members of a group are warned.
type GroupDays struct {
	Group string
	Days  []int
}

// Follower follows one directory. One process does.
type Follower struct {
	cfg Config
	db  *snapshot.DB

	ready chan struct{} // something is known

	mu     sync.Mutex // guards what follows
	model  *model
	state  snapshot.State
	told   map[string]bool
	status Status
	lost   time.Time // since when nothing is followed; zero: something is
}

// Status is how the observation stands.
type Status struct {
	Server    string    // that is followed; empty: none
	Software  string    // of that server, as it says
	Since     time.Time // since when
	Failed    string    // why none is followed, or what went wrong last
	Users     int
	Entries   int
	Baseline  time.Time
	Complete  time.Time
	Guard     string // why a refresh was not believed; empty: it was
	LastEvent time.Time
}

// New makes a follower, with what the snapshot has.
func New(ctx context.Context, db *snapshot.DB, cfg Config) (*Follower, error) {
	cfg.Reconcile, cfg.Sweep = cmp.Or(cfg.Reconcile, 12*time.Hour), cmp.Or(cfg.Sweep, 5*time.Minute)
	cfg.LockPoll, cfg.Degraded = cmp.Or(cfg.LockPoll, 30*time.Second), cmp.Or(cfg.Degraded, 5*time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Fresh == nil {
		cfg.Fresh = func() {}
	}
	f := &Follower{cfg: cfg, db: db, ready: make(chan struct{}, 1)}
	var err error
	if f.state, err = db.State(ctx); err != nil {
		return nil, err
	}
	if f.told, err = db.Told(ctx); err != nil {
		return nil, err
	}
	f.model, err = load(ctx, db, cfg.Layout, cfg.Options)
	return f, err
}

// Run follows until ctx ends: from server to server, sooner and later.
func (f *Follower) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.sweeps(ctx) })
	if f.cfg.CA != "" {
		wg.Go(func() { f.revocations(ctx) })
	}
	for _, server := range f.cfg.LockServers {
		wg.Go(func() { f.polls(ctx, server) })
	}
	wait := time.Duration(0)
	for i := 0; ctx.Err() == nil; i++ {
		server := f.cfg.Servers[i%len(f.cfg.Servers)]
		began := f.cfg.Now()
		err := f.session(ctx, server)
		if ctx.Err() != nil {
			return nil
		}
		f.mu.Lock()
		f.status.Server, f.status.Failed = "", fmt.Sprint(err)
		f.mu.Unlock()
		if err := f.degraded(ctx, err); err != nil && ctx.Err() == nil {
			f.cfg.Logger.Error("that the directory is not followed cannot be written down", "err", err)
		}
		switch {
		case errors.Is(err, errAnew):
			f.cfg.Logger.Info("the directory is read in full", "server", server, "why", err)
			i, wait = i-1, 0
			continue
		case f.cfg.Now().Sub(began) > time.Minute:
			wait = 0
		}
		wait = min(max(2*wait, 500*time.Millisecond), time.Minute)
		f.cfg.Logger.Error("the directory is not followed, trying again", "server", server, "in", wait, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// degraded tells administrators, once, that nothing is followed for too long.
func (f *Follower) degraded(ctx context.Context, why error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Now()
	if errors.Is(why, errAnew) {
		return nil
	}
	if f.lost.IsZero() {
		f.lost = now
	}
	if !f.state.Degraded.IsZero() || now.Sub(f.lost) < f.cfg.Degraded {
		return nil
	}
	f.state.Degraded = f.lost
	f.model.step.Events = append(f.model.step.Events, directory.Watch(directory.WatchDegraded, f.lost, now, why.Error()))
	return f.commit(ctx)
}

// Status gives how the observation stands.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	s.Entries, s.Baseline, s.Complete, s.Guard = len(f.model.entries), f.state.Baseline, f.state.Complete, f.state.Guard
	for _, e := range f.model.entries {
		if e.Type == directory.User {
			s.Users++
		}
	}
	return s
}

// Person gives an entry by its ID; nil: there is none. It is not to be changed.
func (f *Follower) Person(id string) *directory.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.model.byID[id]
}

// User gives the user of a name; nil: there is none.
func (f *Follower) User(name string) *directory.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.model.byUID[name]; e != nil && e.Type == directory.User {
		return e
	}
	return nil
}

// Users gives the users, in the order of their names. They are not to be changed.
func (f *Follower) Users() (list []*directory.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.model.entries {
		if e.Type == directory.User {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *directory.Entry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list
}

// Members gives the IDs of a group's members, with those of the groups in it.
func (f *Follower) Members(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	seen := make(map[string]bool)
	var visit func(g *directory.Entry)
	visit = func(g *directory.Entry) {
		if seen[g.ID] {
			return
		}
		seen[g.ID] = true
		for _, id := range g.Members {
			if sub := f.model.groups[id]; sub != nil {
				visit(sub)
			} else if !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
	}
	for _, g := range f.model.groups {
		if g.Name() == name {
			visit(g)
		}
	}
	slices.Sort(list)
	return list
}

// Managers gives the IDs of the users who manage an entry: managedBy of hosts and
// services, memberManager of groups, with the members of groups that do.
func (f *Follower) Managers(id string) (list []string) {
	f.mu.Lock()
	e := f.model.byID[id]
	var groups []string
	if e != nil && e.Type != directory.User {
		for _, dn := range append(slices.Clone(e.Attrs["managedby"]), e.Attrs["membermanager"]...) {
			switch m := f.model.byDN[directory.Fold(dn)]; {
			case m == nil:
			case m.Type == directory.User:
				list = append(list, m.ID)
			case m.Type == directory.Group:
				groups = append(groups, m.Name())
			}
		}
	}
	f.mu.Unlock()
	for _, g := range groups {
		list = append(list, f.Members(g)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// commit writes what was seen, with the state.
func (f *Follower) commit(ctx context.Context) error {
	step := f.model.step
	step.State = f.state
	fresh, err := f.db.Commit(ctx, step, f.cfg.Now())
	if err != nil {
		return err
	}
	f.model.step = snapshot.Step{}
	for _, e := range fresh {
		f.told[e.Key] = true
		f.status.LastEvent = e.At
	}
	if len(fresh) > 0 {
		f.cfg.Fresh()
	}
	return nil
}

// sweeps looks now and then for what runs out.
func (f *Follower) sweeps(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.Sweep(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Logger.Error("cannot write down what runs out, trying again later", "err", err)
		}
	}
}

// toldFor is how long keys of events are kept: longer than anything may come again.
const toldFor = 2 * 366 * 24 * time.Hour

// Sweep looks what runs out, and writes that down. Run does it every Config.Sweep.
func (f *Follower) Sweep(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Baseline.IsZero() {
		return nil
	}
	now := f.cfg.Now()
	f.model.step.Events = append(f.model.step.Events, f.expiring(now)...)
	if !f.state.Swept.IsZero() {
		for e := range f.model.failing {
			f.model.step.Events = append(f.model.step.Events, directory.Ended(f.model, f.model.options, e, f.state.Swept, now)...)
		}
	}
	f.state.Swept = now
	if len(f.model.step.Events) == 0 {
		return nil
	}
	return errors.Join(f.commit(ctx), f.db.Forget(ctx, f.cfg.Now().Add(-toldFor)))
}

// expiring gives what is to be warned of at a time, and was not.
func (f *Follower) expiring(at time.Time) (list []directory.Event) {
	x := f.cfg.Expiry
	x.Told = func(key string) bool { return f.told[key] }
	x.Since = f.state.Baseline.Add(-24 * time.Hour)
	for _, e := range f.model.entries {
		if next, looked := f.model.next[e]; looked && (next.IsZero() || at.Before(next)) {
			continue
		}
		x.Days = f.days(e)
		events, next := directory.Expiring(e, x, at)
		f.model.next[e] = next
		list = append(list, events...)
	}
	slices.SortFunc(list, func(a, b directory.Event) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return list
}

// days gives on which somebody is warned.
func (f *Follower) days(e *directory.Entry) []int {
	for _, g := range f.cfg.GroupDays {
		for _, group := range f.model.groups {
			if group.Name() == g.Group && slices.Contains(group.Members, e.ID) {
				return g.Days
			}
		}
	}
	return f.cfg.Expiry.Days
}

// Preview gives what would be warned of within a time from now on, if nothing changed.
func (f *Follower) Preview(within time.Duration) (list []directory.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := make(map[string]bool)
	x := f.cfg.Expiry
	x.Told = func(key string) bool { return f.told[key] || told[key] }
	x.Since = f.state.Baseline.Add(-24 * time.Hour)
	now := f.cfg.Now()
	for _, e := range f.model.entries {
		x.Days = f.days(e)
		for at := now; !at.IsZero() && !at.After(now.Add(within)); {
			events, next := directory.Expiring(e, x, at)
			for _, ev := range events {
				told[ev.Key] = true
				list = append(list, ev)
			}
			at = next
		}
	}
	slices.SortFunc(list, func(a, b directory.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return list
}

func cookieText(c []byte) string { return base64.StdEncoding.EncodeToString(c) }

func cookieBytes(text string) []byte {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !bytes.Contains(b, []byte("csn=")) {
		return nil // with one that says nothing OpenLDAP tells all there is, and not what is gone
	}
	return b
}
