package gateway_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
	"rouse/store"
	"rouse/store/sqlite"
)

// counted counts what decisions read and write.
type counted struct {
	store.Store
	loads, commits, conflicts, registrations atomic.Int32
	reading                                  func() // before a registration is read; nil: nothing
}

func (c *counted) Load(ctx context.Context, key string) (store.Owner, error) {
	c.loads.Add(1)
	return c.Store.Load(ctx, key)
}

func (c *counted) Commit(ctx context.Context, x store.Commit) (uint64, error) {
	v, err := c.Store.Commit(ctx, x)
	c.commits.Add(1)
	if errors.Is(err, store.ErrConflict) {
		c.conflicts.Add(1)
	}
	return v, err
}

func (c *counted) Registration(ctx context.Context, node string) (session.Registration, error) {
	c.registrations.Add(1)
	if c.reading != nil {
		c.reading()
	}
	return c.Store.Registration(ctx, node)
}

// neighbours are two processes on one store, of which the first has the link.
func neighbours(t *testing.T) (first, second *house, st *counted) {
	t.Helper()
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st = &counted{Store: file}
	shared := func(c *gateway.Config) { c.Shared = true }
	first, second = houseOn(t, st, shared), houseOn(t, st, shared, func(c *gateway.Config) { c.Holds = func() bool { return false } })
	first.LinkUp(t.Context())
	<-first.server.pictures
	return first, second, st
}

// TestAWakeCostsNoReadBeyondTheFirst: from the second event on, deciding,
// claiming and settling are one commit each.
func TestAWakeCostsNoReadBeyondTheFirst(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{Store: st}
	h := houseOn(t, c)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	h.settle(h.claim()[0], session.Sent)
	loads, commits := c.loads.Load(), c.commits.Load()
	for i := range 5 {
		h.pass(time.Minute)
		h.take(session.Event{Kind: session.Queue, Session: "s1", Class: session.Message, Out: uint64(2 + i)})
		jobs := h.claim()
		if len(jobs) != 1 {
			t.Fatalf("claimed %+v", jobs)
		}
		h.settle(jobs[0], session.Sent)
	}
	if n := c.loads.Load() - loads; n != 0 {
		t.Errorf("%d reads", n)
	}
	if n := c.commits.Load() - commits; n != 10 || c.conflicts.Load() != 0 {
		t.Errorf("%d commits, %d conflicts, want 10 and none", n, c.conflicts.Load())
	}
}

// TestWhatAnotherProcessDidIsDecidedOn: a decision that was made from an older
// state is made again.
func TestWhatAnotherProcessDidIsDecidedOn(t *testing.T) {
	a, b, st := neighbours(t)
	ep, secret := a.device("phone")
	a.take(sleeping(ep, secret)...)
	jobs := b.claim()
	if len(jobs) != 1 || jobs[0].Target.Token != "token-phone" {
		t.Fatalf("the other process claimed %+v", jobs)
	}
	a.take(session.Event{Kind: session.Queue, Session: "s1", Class: session.Message, Out: 2})
	if st.conflicts.Load() != 1 {
		t.Errorf("%d conflicts, want the one", st.conflicts.Load())
	}
	b.settle(jobs[0], session.Sent)
	a.pass(time.Minute)
	b.pass(time.Minute)
	rest := a.claim()
	if len(rest) != 1 || rest[0].Wake.Count != 1 {
		t.Fatalf("what came while the other process was sending: %+v", rest)
	}
	a.settle(rest[0], session.Sent)
	if o, err := st.Store.Load(t.Context(), juliet); err != nil || len(o.Account.Pending) != 0 {
		t.Errorf("still owed: %+v, %v", o.Account.Pending, err)
	}
}

// TestADecisionDuringAClaimKnowsAllOfIt: several wakes of an account are claimed
// together, and while their registrations are read an earlier one is settled. What
// is given back afterwards is free at once, and not only when its lease ends.
func TestADecisionDuringAClaimKnowsAllOfIt(t *testing.T) {
	a, b, st := neighbours(t)
	var events []session.Event
	for _, name := range []string{"desk", "pad", "phone", "watch"} {
		ep, secret := a.device(name)
		events = append(events, session.Event{Kind: session.Enable, Address: ep, Secret: session.Fingerprint(secret)})
	}
	a.take(append(events, session.Event{Kind: session.Offline, Class: session.Message, Key: "s:1"})...)
	claim := func(n int) []session.Job {
		t.Helper()
		jobs, err := b.Claim(t.Context(), n)
		if err != nil || len(jobs) != n {
			t.Fatalf("%+v, %v, want %d", jobs, err, n)
		}
		return jobs
	}
	b.settle(claim(1)[0], session.Sent) // from now on it knows the account
	sent := claim(1)[0]
	st.reading = func() {
		st.reading = nil
		b.settle(sent, session.Sent)
	}
	jobs := claim(2)
	if st.reading != nil {
		t.Fatal("no registration was read")
	}
	for _, j := range jobs {
		b.settle(j, session.Again)
	}
	o, err := st.Store.Load(t.Context(), juliet)
	if err != nil || len(o.Account.Pending) != 2 {
		t.Fatalf("%+v, %v", o.Account.Pending, err)
	}
	for k, w := range o.Account.Pending {
		if w.Claimed(b.clock()) || w.Attempt != 1 {
			t.Errorf("the wake of %s was given back, and is %+v", k.Node, w)
		}
	}
}

// TestNothingIsTakenWithoutTheLink: not from a stream that another process has
// taken over, whatever still comes out of it.
func TestNothingIsTakenWithoutTheLink(t *testing.T) {
	a, b, st := neighbours(t)
	ep, secret := a.device("phone")
	commits := st.commits.Load()
	if err := b.Take(t.Context(), b.batch(session.Event{Kind: session.Bind, Session: "s1"})); !errors.Is(err, gateway.ErrStandby) {
		t.Errorf("a batch: %v", err)
	}
	if got := b.Publish(t.Context(), gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret, Class: session.Message}); got != gateway.Later {
		t.Errorf("a publish: %v", got)
	}
	old := gateway.RegisterRequest{Account: juliet, Provider: "fcm", App: "chat", Token: "from before", Device: "phone"}
	if _, _, err := b.Register(t.Context(), old); !errors.Is(err, gateway.ErrStandby) {
		t.Errorf("a registration: %v", err)
	}
	if r, err := st.Store.Registration(t.Context(), ep.Node); err != nil || r.Token != "token-phone" || st.commits.Load() != commits {
		t.Errorf("something changed: %+v, %v", r, err)
	}
}

// TestWorkersElsewhereKnowNewTokens: they read what they did not see change.
func TestWorkersElsewhereKnowNewTokens(t *testing.T) {
	a, b, st := neighbours(t)
	ep, secret := a.device("phone")
	a.take(sleeping(ep, secret)...)
	b.settle(b.claim()[0], session.Sent)
	again := gateway.RegisterRequest{Account: juliet, Provider: "fcm", App: "chat", Token: "new", Device: "phone"}
	if _, _, err := a.Register(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	a.pass(time.Minute)
	b.pass(time.Minute)
	a.take(session.Event{Kind: session.Queue, Session: "s1", Class: session.Message, Out: 2})
	jobs := b.claim()
	if len(jobs) != 1 || jobs[0].Target.Token != "new" {
		t.Errorf("claimed for %+v", jobs)
	}
	// Whoever gets the link knows nothing of what changed before.
	b.LinkUp(t.Context())
	before := st.registrations.Load()
	if b.settle(jobs[0], session.Again); len(b.claim()) != 1 || st.registrations.Load() == before {
		t.Error("with the link it did not read the registration once")
	}
}

// TestAfterASetbackTheServersTell: what was answered for may be gone.
func TestAfterASetbackTheServersTell(t *testing.T) {
	a, b, st := neighbours(t)
	a.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "s1"}, session.Event{Kind: session.PictureOff})
	if rep, _ := st.Reporter(t.Context(), host); rep.Wanted {
		t.Fatalf("a picture is wanted already: %+v", rep)
	}
	loads := st.loads.Load()
	a.Setback("another master")
	b.Setback("another master")
	if got := <-a.server.pictures; got != host {
		t.Errorf("asked %s", got)
	}
	if rep, err := st.Reporter(t.Context(), host); err != nil || !rep.Wanted {
		t.Errorf("no picture is wanted: %+v, %v", rep, err)
	}
	a.take(session.Event{Kind: session.CSI, Session: "s1", State: session.Inactive})
	if st.loads.Load() == loads {
		t.Error("it decided on what it had in memory")
	}
	if n := len(b.server.pictures); n != 0 {
		t.Errorf("the process without the link asked %d times", n)
	}
}
