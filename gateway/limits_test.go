package gateway_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rouse/gateway"
	"rouse/session"
	"rouse/store"
	"rouse/store/sqlite"
)

// houseWith is a house that is configured otherwise.
func houseWith(t *testing.T, change func(*gateway.Config)) *house {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return houseOn(t, st, change)
}

// unreadable fails to read registrations while broken.
type unreadable struct {
	store.Store
	broken atomic.Bool
}

func (u *unreadable) Registration(ctx context.Context, node string) (session.Registration, error) {
	if u.broken.Load() {
		return session.Registration{}, errors.New("a bad sector")
	}
	return u.Store.Registration(ctx, node)
}

// TestARegistrationThatCannotBeRead keeps its wake waiting for a moment, and not
// until a lease ends.
func TestARegistrationThatCannotBeRead(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ep, secret := houseOn(t, st).device("phone")
	u := &unreadable{Store: st}
	u.broken.Store(true)
	h := houseOn(t, u) // has not read it yet
	if err := h.Take(t.Context(), h.batch(sleeping(ep, secret)...)); err != nil {
		t.Fatal(err)
	}
	if jobs := h.claim(); len(jobs) != 0 {
		t.Fatalf("to be sent to nobody knows where: %+v", jobs)
	}
	u.broken.Store(false)
	h.pass(3 * time.Second)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "token-phone" || jobs[0].Wake.Attempt != 0 {
		t.Errorf("claimed %+v", jobs)
	}
}

// TestSilentWakesAreScarce: the fourth in an hour waits with all that come until
// then; a message takes them along.
func TestSilentWakesAreScarce(t *testing.T) {
	for name, scarce := range map[string]bool{"with Apple": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			h := houseWith(t, func(c *gateway.Config) { c.Scarce = func(app string) bool { return scarce && app == "chat" } })
			ep, secret := h.device("phone")
			publish := func(c session.Class) []session.Job {
				h.t.Helper()
				if a := h.Publish(t.Context(), gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret, Class: c}); a != gateway.Accepted {
					t.Fatalf("answer %v", a)
				}
				return h.claim()
			}
			sent := func(jobs []session.Job) int {
				for _, j := range jobs {
					h.settle(j, session.Sent)
				}
				return len(jobs)
			}
			for i := range 3 {
				if n := sent(publish(session.Silent)); n != 1 {
					t.Fatalf("%d wakes for the %dth", n, i+1)
				}
				h.pass(time.Minute)
			}
			if n := sent(publish(session.Silent)); n != map[bool]int{true: 0, false: 1}[scarce] {
				t.Fatalf("%d wakes for the fourth", n)
			}
			if !scarce {
				return
			}
			h.pass(time.Minute)
			if n := len(publish(session.Silent)); n != 0 {
				t.Fatalf("%d wakes for the fifth", n)
			}
			h.pass(56*time.Minute + time.Second)
			if jobs := h.claim(); len(jobs) != 1 || jobs[0].Wake.Count != 2 || jobs[0].Wake.Attempt != 0 {
				t.Fatalf("an hour after the first: %+v", jobs)
			} else {
				sent(jobs)
			}
			h.pass(10 * time.Second)
			if n := len(publish(session.Silent)); n != 0 {
				t.Fatalf("%d wakes after that", n)
			}
			if jobs := publish(session.Message); len(jobs) != 1 || jobs[0].Key.Class != session.Message || jobs[0].Wake.Count != 2 {
				t.Fatalf("a message: %+v", jobs)
			}
		})
	}
}

// TestADomainMayPublishSoMuch: what is more costs it no registration, and nobody
// else anything.
func TestADomainMayPublishSoMuch(t *testing.T) {
	rate := gateway.Rate{PerSecond: 50, Burst: 500}
	watch := &observer{}
	h := houseWith(t, func(c *gateway.Config) {
		c.Senders = func() gateway.Rate { return rate }
		c.Observer = watch
	})
	type device struct{ domain, node, secret string }
	register := func(domain string) device {
		node, secret, err := h.Register(t.Context(), gateway.RegisterRequest{Account: "u@" + domain, Provider: "fcm", App: "chat", Token: "t", Device: domain})
		if err != nil {
			t.Fatal(err)
		}
		return device{domain, node, secret}
	}
	loud, calm, ours := register("loud.example"), register("calm.example"), register(host)
	publish := func(d device, c session.Class) gateway.Answer {
		return h.Publish(t.Context(), gateway.PublishRequest{From: d.domain, Node: d.node, Secret: d.secret, Class: c})
	}
	taken := func(n int) (taken int) {
		for range n {
			switch a := publish(loud, session.Message); a {
			case gateway.Accepted:
				taken++
			case gateway.Later:
			default:
				t.Fatalf("answer %v", a)
			}
		}
		return taken
	}
	if n := taken(700); n != 500 {
		t.Errorf("%d of a burst were taken", n)
	}
	for d, c := range map[device]session.Class{calm: session.Message, ours: session.Message, loud: session.Call} {
		if a := publish(d, c); a != gateway.Accepted {
			t.Errorf("%s, %v: answer %v", d.domain, c, a)
		}
	}
	h.pass(time.Second)
	if n := taken(700); n != 50 {
		t.Errorf("%d were taken a second later", n)
	}
	for range 600 {
		if a := publish(ours, session.Message); a != gateway.Accepted {
			t.Fatalf("a host of ours: answer %v", a)
		}
	}
	if n := strings.Count(h.log.String(), "domain=loud.example"); n != 1 || watch.limited.Load() != 200+650 {
		t.Errorf("the log says it %d times, the metric %d", n, watch.limited.Load())
	}
	rate.PerSecond = 0
	if n := taken(100); n != 100 {
		t.Errorf("%d were taken without a limit", n)
	}
	if a := h.Publish(t.Context(), gateway.PublishRequest{From: "loud.example", Node: loud.node, Secret: "guess"}); a != gateway.Forbidden {
		t.Errorf("a guess: answer %v", a)
	}
}

// observer counts what went wrong.
type observer struct{ limited, unknown atomic.Int64 }

func (o *observer) Event(session.Kind)               {}
func (o *observer) Decision(string, session.Verdict) {}
func (o *observer) UnknownNode()                     { o.unknown.Add(1) }
func (o *observer) Limited()                         { o.limited.Add(1) }
