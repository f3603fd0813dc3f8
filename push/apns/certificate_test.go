package apns

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"rouse/push"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

// certified is a provider's options with a certificate of the stand-in's.
func certified(t *testing.T, a *pushtest.APNs, p pushtest.PushCertificate) Options {
	t.Helper()
	opts := options(t, a)
	opts.Key = nil
	var err error
	if opts.Certificate, err = a.Certificate(p); err != nil {
		t.Fatal(err)
	}
	return opts
}

// Every form in which people have their certificate, over TLS to an Apple that
// takes nothing else.
func TestCertificateFiles(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{Certificates: true})
	opts := certified(t, a, pushtest.PushCertificate{})
	text, err := pushtest.PEM(opts.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(opts.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	above, _ := pem.Decode(a.CAPEM())
	authority, err := x509.ParseCertificate(above.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p12 := func(e *pkcs12.Encoder, password string, chain ...*x509.Certificate) []byte {
		t.Helper()
		b, err := e.Encode(opts.Certificate.PrivateKey, leaf, chain, password)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		content  []byte
		password string
	}{
		"PEM":                           {text, ""},
		"PEM, the key first":            {append(text[bytes.Index(text, []byte("-----BEGIN PRIVATE")):], text...), ""},
		"PKCS#12 of a Mac":              {p12(pkcs12.LegacyRC2, "hunter2"), "hunter2"},
		"PKCS#12 of an old openssl":     {p12(pkcs12.LegacyDES, "hunter2"), "hunter2"},
		"PKCS#12 of openssl 3":          {p12(pkcs12.Modern2023, "hunter2"), "hunter2"},
		"PKCS#12 with the issuer in it": {p12(pkcs12.Modern2023, "hunter2", authority), "hunter2"},
		"PKCS#12 without a password":    {p12(pkcs12.Modern2023, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			opts := opts
			var err error
			if opts.Certificate, err = ReadCertificate(c.content, c.password); err != nil {
				t.Fatal(err)
			}
			p := open(t, opts)
			if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
				t.Errorf("%+v", r)
			}
			if err := p.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for _, r := range a.Received() {
		if r.Bearer != "" {
			t.Error("a provider token beside the certificate")
		}
	}
	for name, c := range map[string]struct {
		content        []byte
		password, want string
	}{
		"nothing":           {[]byte("nothing"), "", "PKCS#12"},
		"another password":  {p12(pkcs12.Modern2023, "hunter2"), "hunter3", "password_file"},
		"no password":       {p12(pkcs12.LegacyRC2, "hunter2"), "", "password_file"},
		"no key":            {a.CAPEM(), "", "private key"},
		"a key and no more": {text[bytes.Index(text, []byte("-----BEGIN PRIVATE")):], "", "certificate"},
	} {
		if _, err := ReadCertificate(c.content, c.password); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a certificate says of topics and environments is believed before Apple is
// asked; of a certificate that says nothing, Apple judges.
func TestCertificatesThatDoNotSuit(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{Certificates: true})
	both := []string{"production", "sandbox"}
	for name, c := range map[string]struct {
		of      pushtest.PushCertificate
		sandbox bool
		voip    bool
		want    string // in the error of New; empty: it suits
	}{
		"the subject's UID":             {of: pushtest.PushCertificate{}},
		"the subject's UID, with calls": {of: pushtest.PushCertificate{}, voip: true},
		"the extension":                 {of: pushtest.PushCertificate{Topics: []string{topic, topic + ".voip"}, Environments: both}, voip: true},
		"silent about environments":     {of: pushtest.PushCertificate{Topics: []string{topic}}, sandbox: true},
		"for development":               {of: pushtest.PushCertificate{Environments: []string{"sandbox"}}, sandbox: true},
		"for another app":               {of: pushtest.PushCertificate{Topics: []string{"org.example.other"}, Environments: both}, want: "org.example.other"},
		"without calls":                 {of: pushtest.PushCertificate{Topics: []string{topic, topic + ".complication"}, Environments: both}, voip: true, want: topic + ".voip"},
		"for development alone":         {of: pushtest.PushCertificate{Environments: []string{"sandbox"}}, want: "look at environment"},
		"for production alone":          {of: pushtest.PushCertificate{Environments: []string{"production"}}, sandbox: true, want: "look at environment"},
	} {
		opts := certified(t, a, c.of)
		opts.Sandbox, opts.VoIP = c.sandbox, c.voip
		p, err := New(opts)
		if err == nil {
			p.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The stand-in looks into certificates as Apple does.
func TestAppleRefusesACertificate(t *testing.T) {
	production := standIn(t, pushtest.APNsOptions{Certificates: true})
	sandbox := standIn(t, pushtest.APNsOptions{Certificates: true, Sandbox: true})
	both := []string{"production", "sandbox"}

	opts := certified(t, sandbox, pushtest.PushCertificate{Environments: []string{"production"}})
	if r := send(t, open(t, opts), wake(session.Message)); r.Reason != "403 BadCertificateEnvironment" || r.Outcome != push.BadCredentials {
		t.Errorf("for the other environment: %+v", r)
	}
	opts = certified(t, production, pushtest.PushCertificate{Topics: []string{topic}, Environments: both})
	opts.VoIP = true // the certificate names one topic: Apple has the last word
	if r := send(t, open(t, opts), wake(session.Call)); r.Reason != "400 TopicDisallowed" || r.Outcome != push.BadConfig {
		t.Errorf("for another topic: %+v", r)
	}
	siskin, err := profile.Apple("siskin")
	if err != nil {
		t.Fatal(err)
	}
	opts = certified(t, production, pushtest.PushCertificate{})
	opts.Profile = siskin
	n := wake(session.Call)
	n.Content = push.Content{CallToken: pushtest.APNsToken("calls"), Encrypted: "YQ==", IV: "YQ=="}
	if r := send(t, open(t, opts), n); r.Outcome != push.Delivered || production.Delivered()[0].Topic != topic+".voip" {
		t.Errorf("a call: %+v", r)
	}

	// A key where certificates are demanded, and a certificate of somebody else's are
	// refused by TLS itself; one that ended is not even shown. TLS 1.3 tells a client only after
	// the handshake, so now and then the end of the connection overtakes the reason.
	for name, change := range map[string]func(*Options){
		"of another authority": func(o *Options) {
			foreign, err := sandbox.Certificate(pushtest.PushCertificate{})
			if err != nil {
				t.Fatal(err)
			}
			o.Certificate = foreign
		},
		"ended": func(o *Options) {
			var err error
			if o.Certificate, err = production.Certificate(pushtest.PushCertificate{Until: time.Now().Add(-time.Second)}); err != nil {
				t.Fatal(err)
			}
		},
		"a key": func(o *Options) { o.Certificate, o.Key = tls.Certificate{}, options(t, production).Key },
	} {
		opts := certified(t, production, pushtest.PushCertificate{})
		change(&opts)
		p := open(t, opts)
		for try := 0; ; try++ {
			r := send(t, p, wake(session.Message))
			if r.Outcome == push.BadCredentials || name == "a key" && r.Outcome == push.Unavailable {
				break
			}
			if r.Outcome != push.Unavailable || try == 100 {
				t.Fatalf("%s: %+v", name, r)
			}
		}
	}
}

func TestCertificateThatEnds(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{Certificates: true})
	p := open(t, certified(t, a, pushtest.PushCertificate{}))
	p.expires = time.Now().Add(-time.Minute)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.BadCredentials || r.Reason != "certificate expired" || len(a.Received()) != 0 {
		t.Errorf("%+v", r)
	}
}
