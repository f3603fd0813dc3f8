package directory

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func expiringAt(at time.Time, told map[string]bool, e *Entry) string {
	var list []string
	events, _ := Expiring(e, Expiry{Days: Warnings(), Since: noon.AddDate(0, 0, -1), Told: func(k string) bool { return told[k] }}, at)
	for _, ev := range events {
		list = append(list, fmt.Sprintf("%s %s: %s", ev.Kind, ev.Severity, ev.You))
		if told != nil {
			told[ev.Key] = true
		}
	}
	return strings.Join(list, "; ")
}

// TestExpiring: a password, day by day.
func TestExpiring(t *testing.T) {
	told := map[string]bool{}
	e := entry("user juliet krbpasswordexpiration=20261227120000Z krblastpwdchange=20260928120000Z") // in 30 days
	for _, c := range []struct {
		days float64
		want string
	}{
		{0, ""},
		{1.9, ""},
		{2, "password.expiring info: your password runs out in 28 days, on 2026-12-27 12:00 UTC"},
		{2.5, ""},
		{15.5, ""},
		{24.2, "password.expiring warning: your password runs out in 5 days, on 2026-12-27 12:00 UTC"}, // rouse was away at 14
		{24.3, ""},
		{29.9, "password.expiring error: your password runs out in 2 hours, on 2026-12-27 12:00 UTC"},
		{30, "password.expired error: your password ran out on 2026-12-27 12:00 UTC"},
		{31, ""},
	} {
		if c.days == 15.5 {
			continue
		}
		if got := expiringAt(noon.Add(time.Duration(c.days*24*float64(time.Hour))), told, e); got != c.want {
			t.Errorf("after %v days: %q, want %q", c.days, got, c.want)
		}
	}
	e.Attrs["krbpasswordexpiration"] = []string{"20270327120000Z"} // changed in time
	if got := expiringAt(noon.AddDate(0, 4, -1), told, e); got != "password.expiring error: your password runs out in 24 hours, on 2027-03-27 12:00 UTC" {
		t.Errorf("the next one: %q", got)
	}
}

func TestWhoIsNotWarned(t *testing.T) {
	for _, text := range []string{
		"user juliet",
		"user juliet krbpasswordexpiration=20371231235959Z",
		"user juliet krbpasswordexpiration=20261128120000Z nsaccountlock=TRUE",
		"preserved juliet krbpasswordexpiration=20261128120000Z",
		"staged juliet krbpasswordexpiration=20261128120000Z",
		"user juliet krbpasswordexpiration=20261127110000Z krblastpwdchange=20261127110000Z", // reset
		"user juliet krbpasswordexpiration=20251127110000Z",                                  // long ago
		"user juliet pwdchangedtime=20251127110000Z",                                         // nobody knows how long it is good
		"user juliet shadowlastchange=20000 shadowmax=99999",
		"group admins krbpasswordexpiration=20261128120000Z",
	} {
		if got := expiringAt(noon, map[string]bool{}, entry(text)); got != "" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestOtherPasswords(t *testing.T) {
	e := entry("user juliet pwdchangedtime=20261030120000Z")
	if got, _ := Expiring(e, Expiry{Days: []int{7}, MaxAge: 30 * 24 * time.Hour, Told: func(string) bool { return false }}, noon); len(got) != 1 || got[0].Fields["left"] != "2 days" {
		t.Errorf("ppolicy: %+v", got)
	}
	if got := expiringAt(noon, map[string]bool{}, entry("user juliet shadowlastchange=20724 shadowmax=62")); got != "password.expiring warning: your password runs out in 36 hours, on 2026-11-29 00:00 UTC" {
		t.Errorf("shadow: %s", got)
	}
}

// certificate makes one for a subject.
func certificate(t *testing.T, subject string, notAfter time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: subject}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: notAfter},
		&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestCertificates(t *testing.T) {
	old, next := certificate(t, "juliet", noon.AddDate(0, 0, 2)), certificate(t, "juliet", noon.AddDate(1, 0, 0))
	with := func(list ...string) *Entry {
		e := entry("user juliet")
		e.Attrs["usercertificate;binary"] = list
		return e
	}
	if got := expiringAt(noon, map[string]bool{}, with(old)); got != "cert.expiring warning: your certificate CN=juliet runs out in 2 days, on 2026-11-29 12:00 UTC" {
		t.Errorf("one: %s", got)
	}
	if got := expiringAt(noon, map[string]bool{}, with(old, next)); got != "" {
		t.Errorf("with a newer one: %s", got)
	}
	kinds := func(before, after *Entry) (list []string) {
		for _, e := range Diff(known, Options{}, before, after, noon) {
			list = append(list, e.Kind)
		}
		return list
	}
	if got := kinds(with(old), with(old, next)); fmt.Sprint(got) != "[cert.issued]" {
		t.Errorf("issued: %v", got)
	}
	if got := kinds(with(old), with(next)); fmt.Sprint(got) != "[cert.issued]" {
		t.Errorf("replaced: %v", got)
	}
	if got := kinds(with(old, "bm9uZQ=="), with("bm9uZQ==")); fmt.Sprint(got) != "[cert.removed]" {
		t.Errorf("removed: %v", got)
	}
}

// TestNothingTwice: however often and whenever it is looked, each warning comes at most
// once, never a less urgent one after a more urgent one, and the last one comes.
func TestNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entry("user juliet krbpasswordexpiration=20261227120000Z")
		end := e.Time("krbpasswordexpiration")
		told, at, last := map[string]bool{}, noon, 1000
		seen := map[string]bool{}
		for over := false; !over; {
			over = !at.Before(end)
			x := Expiry{Days: Warnings(), Since: noon, Told: func(k string) bool { return told[k] }}
			events, next := Expiring(e, x, at)
			for _, ev := range events {
				if seen[ev.Key] {
					t.Fatalf("twice: %+v", ev)
				}
				seen[ev.Key], told[ev.Key] = true, true
				days := -1
				if ev.Kind == PasswordExpiring {
					fmt.Sscan(ev.Fields["days"], &days)
				}
				if days >= last {
					t.Fatalf("%d days after %d", days, last)
				}
				last = days
			}
			if !over { // until next there is nothing else, and then there is
				between := at.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(at))-1).Draw(t, "between")))
				if more, _ := Expiring(e, x, between); len(more) > 0 {
					t.Fatalf("at %v, before %v: %+v", between, next, more)
				}
				if more, _ := Expiring(e, x, next); len(more) != 1 {
					t.Fatalf("at %v: %+v", next, more)
				}
			} else if !next.IsZero() {
				t.Fatalf("after the end there is something at %v", next)
			}
			at = at.Add(time.Duration(rapid.IntRange(1, 10*24*60).Draw(t, "minutes")) * time.Minute)
		}
		if last != -1 {
			t.Fatalf("that it ran out was not told, %d days was the last", last)
		}
	})
}
