package apns

import (
	"strings"
	"testing"
	"time"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

func TestCheck(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	good := options(t, a)
	key := func(p8 []byte, id, team string) Options {
		o := good
		k, err := NewKey(p8, id, team, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Key = k
		return o
	}
	other := good
	other.Topic = "org.example.other"
	for name, c := range map[string]struct {
		opts Options
		want string // in the error; empty: none
	}{
		"fine":          {good, ""},
		"another key":   {key(standIn(t, pushtest.APNsOptions{}).Key(), a.KeyID(), a.TeamID()), "key_file"},
		"another id":    {key(a.Key(), "OTHERKEY01", a.TeamID()), "key_id"},
		"another team":  {key(a.Key(), a.KeyID(), "OTHERTEAM1"), "team_id"},
		"another topic": {other, "topic"},
	} {
		err := open(t, c.opts).Check(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(a.Delivered()) != 0 {
		t.Error("a check woke a device")
	}
	a.Close()
	if err := open(t, good).Check(t.Context()); err == nil {
		t.Error("nobody is there, and the check is content")
	}
}

func TestCertificate(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	text, err := a.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, a)
	opts.Key = nil
	if opts.Certificate, err = ReadCertificate(text, ""); err != nil {
		t.Fatal(err)
	}
	p := open(t, opts)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
	p.expires = time.Now().Add(-time.Minute)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.BadCredentials || r.Reason != "certificate expired" {
		t.Errorf("%+v", r)
	}

	foreign, err := standIn(t, pushtest.APNsOptions{}).Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if opts.Certificate, err = ReadCertificate(foreign, ""); err != nil {
		t.Fatal(err)
	}
	// TLS 1.3 refuses a client's certificate only after the handshake, so now and
	// then the end of the connection overtakes the reason for it.
	p = open(t, opts)
	for try := 0; ; try++ {
		r := send(t, p, wake(session.Message))
		if r.Outcome == push.BadCredentials {
			break
		}
		if r.Outcome != push.Unavailable || try == 100 {
			t.Fatalf("a certificate of an unknown authority: %+v", r)
		}
	}
	if _, err := ReadCertificate([]byte("nothing"), ""); err == nil {
		t.Error("nothing is a certificate")
	}
}
