package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Claim gives up to max due wakes to a worker, with their targets; with their fate
// those that are not to be sent now.
func (g *Gateway) Claim(ctx context.Context, max int) ([]session.Job, error) {
	claimed, err := g.cfg.Store.Claim(ctx, g.cfg.Now(), lease, max)
	if err != nil {
		return nil, err
	}
	g.claimed(claimed)
	jobs := make([]session.Job, 0, len(claimed))
	for _, c := range claimed {
		job := session.Job{Owner: c.Owner, Key: c.Key, Wake: c.Wake, ID: wakeID(c)}
		dead, err := g.target(ctx, &job)
		if err != nil {
			g.log.Error("cannot read a registration; its wake is tried again in a moment", "err", err)
			job.Fate = &session.Settlement{Verdict: session.Again, Free: true, Due: g.cfg.Now().Add(reread), Why: "waits: its registration could not be read"}
		} else if dead != "" {
			job.Fate = &session.Settlement{Verdict: session.Died, Why: dead}
		} else if until, why := g.hold(ctx, &job); !until.IsZero() {
			job.Fate = &session.Settlement{Verdict: session.Again, Free: true, Due: until, Why: why}
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// reread is when a registration is read again that could not be read.
const reread = 2 * time.Second

// claimed brings owners that are known as of before a claim up to date with it,
// which spares settling a read. Anything else that is known proves outdated at
// its next commit.
func (g *Gateway) claimed(list []store.Claimed) {
	owners := make(map[string][]store.Claimed)
	for _, c := range list {
		owners[c.Owner] = append(owners[c.Owner], c)
	}
	for owner, taken := range owners {
		g.owners.change(owner, after(taken))
	}
}

// after applies what was claimed of an owner, step by step, and each step whole: as
// of its version all of it is stored, and a decision made without a part of it would
// be stored all the same.
func after(taken []store.Claimed) func(store.Owner) (store.Owner, bool) {
	return func(o store.Owner) (_ store.Owner, changed bool) {
		for {
			i := slices.IndexFunc(taken, func(c store.Claimed) bool { return c.Before != 0 && c.Before == o.Version })
			if i < 0 {
				return o, changed
			}
			if !changed {
				o.Account.Pending, changed = maps.Clone(o.Account.Pending), true
			}
			o.Version = taken[i].After
			for _, c := range taken {
				if c.After == o.Version {
					o.Account.Pending[c.Key] = c.Wake
				}
			}
		}
	}
}

// target finds the device of a wake; else it says why there is none.
func (g *Gateway) target(ctx context.Context, job *session.Job) (dead string, err error) {
	if job.Key.Service != g.cfg.Service {
		job.Target = session.Registration{Node: job.Key.Node}
		return "", nil
	}
	reg, err := g.registration(ctx, job.Key.Node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if g.cfg.Nodes.Ours(job.Key.Node) {
			g.lost(job.Key.Node)
		}
		return "no registration has this node", nil
	case err != nil:
		return "", err
	case !reg.Live():
		return reg.Dead, nil
	}
	if _, host, ok := strings.Cut(job.Owner, "@"); ok && (host != reg.Domain || reg.Account != "" && reg.Account != job.Owner) {
		return "the registration is another account's", nil
	}
	job.Target, job.Content = reg, g.told(*job)
	return "", nil
}

// hold says until when a wake has to wait for its device's sake; zero: it need not.
func (g *Gateway) hold(ctx context.Context, job *session.Job) (until time.Time, why string) {
	o, err := g.load(ctx, job.Owner)
	if err != nil {
		return time.Time{}, "" // whoever settles it says so
	}
	if f := o.Account.Endpoints[job.Key.Address].Filter; f != nil {
		job.Priority = f.Priority
	}
	p := g.cfg.Policy()
	if g.cfg.Scarce == nil || !g.cfg.Scarce(job.Target.App) {
		p.Silents = 0
	}
	return business.Hold(o.Account, job.Key, p, g.cfg.Now())
}

// wakeID is a UUID (RFC 9562 §5.8) that stays the same over all tries of a wake.
func wakeID(c store.Claimed) string {
	sum := sha256.Sum256([]byte(c.Owner + "\x00" + c.Key.Service + "\x00" + c.Key.Node + "\x00" +
		strconv.FormatUint(c.Wake.Serial, 10) + "\x00" + strconv.FormatInt(c.Wake.Since.UnixNano(), 10)))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Wait returns when something may be due, or when ctx ends.
func (g *Gateway) Wait(ctx context.Context) error {
	at, ok, err := g.cfg.Store.NextDue(ctx)
	if err != nil {
		return err
	}
	pause := cmp.Or(g.cfg.Poll, time.Minute)
	if ok {
		pause = min(pause, at.Sub(g.cfg.Now()))
	}
	if pause <= 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-g.due:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Settle records what became of a try, durably.
func (g *Gateway) Settle(ctx context.Context, job session.Job, s session.Settlement) error {
	if s.Verdict == session.Died && job.Target.App != "" {
		var err error
		if s, err = g.bury(ctx, job, s); err != nil {
			return err
		}
	}
	var asleep []string
	err := g.do(ctx, job.Owner, func(a session.Account) (session.Account, []session.Reason) {
		asleep = asleep[:0]
		if s.Verdict == session.Sent && job.Key.Class.Shown() {
			owner := a.Endpoints[job.Key.Address].Owner
			if a.Sessions[owner].State == session.Hibernated {
				asleep = append(asleep, owner)
			}
		}
		return business.Settle(a, job.Key, job.Wake, s, g.cfg.Policy())
	})
	if err != nil {
		return err
	}
	if s.Verdict != session.Again {
		g.said(job)
	}
	g.inform(ctx, job.Owner, asleep)
	return nil
}

// doubted is how long a token gets that the provider says has been gone since
// before the device registered with it.
const doubted = 5 * time.Second

// bury ends a registration for its token's sake, unless there is another token
// by now. A provider's news from before the registration is believed when it is
// repeated: a client may register with a dead token as often as it likes.
func (g *Gateway) bury(ctx context.Context, job session.Job, s session.Settlement) (session.Settlement, error) {
	again := func(due time.Time) session.Settlement {
		s.Verdict, s.Due, s.Why = session.Again, due, s.Why+"; but it registered again since"
		return s
	}
	defer g.regs.drop(job.Target.Node)
	reg, err := g.cfg.Store.Registration(ctx, job.Target.Node)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, nil
	case err != nil:
		return s, err
	case !reg.Live():
		return s, nil
	case reg.Token != job.Target.Token:
		return again(s.At), nil
	case !s.Since.IsZero() && reg.Updated.Truncate(time.Second).After(s.Since) && job.Wake.Attempt == 0: // Since is in whole seconds
		return again(s.At.Add(doubted)), nil
	}
	reg, err = g.cfg.Store.Bury(ctx, job.Target.Node, s.Why, s.At)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, nil
	case err != nil:
		return s, err
	case reg.Live():
		return again(s.At), nil
	}
	g.part(reg)
	return s, nil
}

// inform lets the server know that sessions were woken. If that gets lost, the
// session only waits longer for its client than it would have to.
func (g *Gateway) inform(ctx context.Context, account string, sids []string) {
	user, host, ok := strings.Cut(account, "@")
	if !ok || !g.Reports(host) {
		return
	}
	for _, sid := range sids {
		if err := g.cfg.Server.Woken(ctx, host, user, sid); err != nil {
			g.log.Debug("the server module was not told of a woken session", "host", host, "err", err)
		}
	}
}
