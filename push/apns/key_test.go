package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

func TestExpiredProviderTokenIsReplacedOnce(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{TokenInterval: 20 * time.Minute})
	opts := options(t, a)
	p := open(t, opts)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	first := a.Received()[0].Bearer

	// Young: a second token would be refused, so the clock must be wrong.
	a.Forget()
	a.Queue(pushtest.Reply{Status: 403, Reason: "ExpiredProviderToken"})
	r := send(t, p, wake(session.Message))
	if r.Outcome != push.BadCredentials || !strings.Contains(r.Remedy, "clock") || len(a.Received()) != 1 {
		t.Errorf("young token: %+v after %d requests", r, len(a.Received()))
	}
	if b := opts.Key.bearer(); b != first {
		t.Error("a young token was replaced")
	}

	// Old enough: a new one, and the push again.
	b := standIn(t, pushtest.APNsOptions{})
	opts = options(t, b)
	p = open(t, opts)
	opts.Key.token.Lock()
	opts.Key.token.IssuedAt -= int64((mintEvery + time.Second).Seconds())
	opts.Key.token.Unlock()
	b.Queue(pushtest.Reply{Status: 403, Reason: "ExpiredProviderToken"})
	r = send(t, p, wake(session.Message))
	got := b.Received()
	if r.Outcome != push.Delivered || len(got) != 2 || got[0].Bearer == got[1].Bearer || got[0].ID != got[1].ID {
		t.Errorf("old token: %+v after %d requests", r, len(got))
	}

	// Refused again at once: no third try.
	b.Forget()
	b.Queue(pushtest.Reply{Status: 403, Reason: "ExpiredProviderToken"})
	if r := send(t, p, wake(session.Message)); r.Outcome != push.BadCredentials || len(b.Received()) != 1 {
		t.Errorf("%+v after %d requests", r, len(b.Received()))
	}
}

// Many pushes learn at once that the token expired; one of them replaces it.
func TestTokenThatWasReplacedMeanwhile(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	key := options(t, a).Key
	first := key.bearer()
	if key.renew(first) {
		t.Error("a young token was replaced")
	}
	if !key.renew("the one before") || key.bearer() != first {
		t.Error("a token was replaced that had not been refused")
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
		if _, err := NewKey(c.p8, c.key, c.team); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
