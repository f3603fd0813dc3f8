package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

// clock is a time that tests move; the zero hour of a step.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Unix(1_800_000_000, 0).Truncate(step).Add(back).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

// keyed is a provider with a key of its own, as it is after a start.
func keyed(t *testing.T, a *pushtest.APNs, now func() time.Time) *Provider {
	t.Helper()
	opts := options(t, a)
	var err error
	if opts.Key, err = NewKey(a.Key(), a.KeyID(), a.TeamID(), now); err != nil {
		t.Fatal(err)
	}
	return open(t, opts)
}

// Rouse is started every 17 minutes for a day, as two processes with one key,
// and Apple, which believes a token for an hour and takes another one no sooner
// than after twenty minutes, never complains.
func TestRestartsMakeNoNewToken(t *testing.T) {
	c := newClock()
	a := standIn(t, pushtest.APNsOptions{TokenInterval: 20 * time.Minute, Now: c.now})
	begun := c.now()
	for c.now().Sub(begun) < 24*time.Hour {
		for range 2 {
			n := wake(session.Message)
			n.Expires = c.now().Add(time.Hour)
			if r := send(t, keyed(t, a, c.now), n); r.Outcome != push.Delivered {
				t.Fatalf("%v after the first start: %+v", c.now().Sub(begun), r)
			}
		}
		c.pass(17 * time.Minute)
	}
	tokens := make(map[string]bool)
	for _, r := range a.Received() {
		tokens[r.Bearer] = true
	}
	if want := int(24 * time.Hour / step); len(tokens) != want {
		t.Errorf("%d tokens in a day, want %d", len(tokens), want)
	}
}

// A token lives as long as Apple's rules leave room for clocks that are wrong.
func TestAgeOfTheToken(t *testing.T) {
	c := newClock()
	a := standIn(t, pushtest.APNsOptions{})
	key, err := NewKey(a.Key(), a.KeyID(), a.TeamID(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := key.bearer(); err != nil {
			t.Fatal(err)
		}
		if age := c.now().Sub(key.issued); age < back || age >= back+step {
			t.Fatalf("a token of %v", age)
		}
		c.pass(97 * time.Second)
	}
}

// When Apple calls a token expired that is young by our clock, a clock is wrong,
// and another token would not help; when the step ended on the way, it does.
func TestExpiredProviderToken(t *testing.T) {
	c := newClock()
	a := standIn(t, pushtest.APNsOptions{Now: c.now})
	p := keyed(t, a, c.now)
	n := wake(session.Message)
	n.Expires = c.now().Add(time.Hour)
	a.Queue(pushtest.Reply{Status: 403, Reason: "ExpiredProviderToken"})
	r := send(t, p, n)
	if r.Outcome != push.BadCredentials || !strings.Contains(r.Remedy, "clock") || len(a.Received()) != 1 {
		t.Errorf("young: %+v after %d requests", r, len(a.Received()))
	}

	a.Forget()
	expired := &pushtest.Reply{Status: 403, Reason: "ExpiredProviderToken"}
	a.Answer(func(r pushtest.Received) *pushtest.Reply {
		if len(a.Received()) > 1 {
			return nil
		}
		c.pass(step)
		return expired
	})
	r = send(t, p, n)
	got := a.Received()
	if r.Outcome != push.Delivered || len(got) != 2 || got[0].Bearer == got[1].Bearer || got[0].ID != got[1].ID {
		t.Errorf("the step ended: %+v after %d requests", r, len(got))
	}

	a.Forget()
	a.Answer(func(pushtest.Received) *pushtest.Reply { c.pass(step); return expired })
	if r := send(t, p, n); r.Outcome != push.BadCredentials || len(a.Received()) != 2 {
		t.Errorf("and ended again: %+v after %d requests", r, len(a.Received()))
	}
}

func TestOneTokenForAllApps(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{TokenInterval: 20 * time.Minute, Topics: []string{topic, "org.example.other"}})
	var keys Keys
	one, err := keys.Get(a.Key(), a.KeyID(), a.TeamID())
	if err != nil {
		t.Fatal(err)
	}
	two, err := keys.Get(a.Key(), a.KeyID(), a.TeamID())
	if err != nil || one != two {
		t.Fatal("two Keys for one key", err)
	}
	opts := options(t, a)
	for _, name := range []string{topic, "org.example.other"} {
		opts.Topic, opts.Key = name, one
		p := open(t, opts)
		for range 5 {
			if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
				t.Errorf("%+v", r)
			}
		}
	}
	if _, err := keys.Get(standIn(t, pushtest.APNsOptions{}).Key(), a.KeyID(), a.TeamID()); err == nil {
		t.Error("another key under the same ids is taken")
	}
}

func TestKeysThatDoNotSign(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	a := standIn(t, pushtest.APNsOptions{})
	for name, c := range map[string]struct {
		p8        []byte
		key, team string
	}{
		"not PEM":     {[]byte("key"), "K", "T"},
		"wrong curve": {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "K", "T"},
		"no key id":   {a.Key(), "", "T"},
		"no team id":  {a.Key(), "K", ""},
	} {
		if _, err := NewKey(c.p8, c.key, c.team, nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
