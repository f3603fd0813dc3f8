package follow

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/directory/dirlab"
)

// authority makes a CA, and a certificate of it for localhost.
func authority(t *testing.T, dir string) (pool *x509.CertPool, certificate, key string) {
	t.Helper()
	made := func(is *x509.Certificate, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		is.NotBefore, is.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if parent == nil {
			parent, by = is, k
		}
		der, err := x509.CreateCertificate(rand.Reader, is, parent, &k.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, k
	}
	ca, caKey := made(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	c, k := made(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature}, ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, b := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: c.Raw}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AddCert(ca)
	return pool, certificate, key
}

// TestWays: each way to a server, and each way to say who asks; and what is said when
// that is refused.
func TestWays(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kdc, err := dirlab.StartKDC(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kdc.Kill() })
	pool, certificate, key := authority(t, t.TempDir())
	other, _, _ := authority(t, t.TempDir())
	slapd, err := dirlab.StartSlapdWith(ctx, t.TempDir(), []byte(dirlab.Person("juliet")), dirlab.Options{Certificate: certificate, Key: key, KDC: kdc})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slapd.Kill() })
	trust := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	named := func(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }
	simple, none := Simple(dirlab.Notifier, dirlab.NotifierPass), filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		server string
		cfg    Config
		wrong  string
	}{
		"plain":                {slapd.URL(), Config{Bind: simple}, ""},
		"another password":     {slapd.URL(), Config{Bind: Simple(dirlab.Notifier, "wrong")}, "Invalid Credentials"},
		"StartTLS":             {slapd.URL(), Config{Bind: simple, StartTLS: true, TLS: trust}, ""},
		"StartTLS, another CA": {slapd.URL(), Config{Bind: simple, StartTLS: true, TLS: &tls.Config{RootCAs: other}}, "unknown authority"},
		"ldaps":                {slapd.LDAPS(), Config{Bind: simple, TLS: trust}, ""},
		"ldaps by name":        {named(slapd.LDAPS()), Config{Bind: simple, TLS: trust}, ""},
		"ldaps, another CA":    {slapd.LDAPS(), Config{Bind: simple, TLS: &tls.Config{RootCAs: other}}, "unknown authority"},
		"ldapi":                {slapd.LDAPI(), Config{Bind: External()}, ""},
		"Kerberos":             {named(slapd.URL()), Config{Bind: Kerberos(kdc.Principal(), kdc.Keytab(), kdc.Conf())}, ""},
		"Kerberos and TLS":     {named(slapd.LDAPS()), Config{Bind: Kerberos(kdc.Principal(), kdc.Keytab(), kdc.Conf()), TLS: trust}, ""},
		"no keytab":            {named(slapd.URL()), Config{Bind: Kerberos(kdc.Principal(), none, kdc.Conf())}, "no such file"},
		"another principal":    {named(slapd.URL()), Config{Bind: Kerberos("tybalt@"+dirlab.Realm, kdc.Keytab(), kdc.Conf())}, "kerberos"},
		"nobody there":         {"ldap://127.0.0.1:1", Config{Bind: simple}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _, err := Dial(ctx, c.server, &c.cfg)
			if err != nil {
				if c.wrong == "" || !strings.Contains(err.Error(), c.wrong) {
					t.Error(err)
				}
				return
			}
			defer conn.Close()
			if c.wrong != "" {
				t.Errorf("it is let in, and not refused because of %s", c.wrong)
			}
			if who, err := conn.WhoAmI(nil); err != nil || who.AuthzID != "dn:"+dirlab.Notifier {
				t.Errorf("bound as %+v, %v", who, err)
			}
		})
	}
}

// TestTheNext: when the server that is followed is gone, the next one is.
func TestTheNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, openLDAP, dirlab.Person("juliet"))
	r.follows(func(c *Config) { c.Servers = append([]string{"ldap://127.0.0.1:1"}, c.Servers...) })
	r.followed()
	r.modify(dn("juliet"), "mail", "other@example.test")
	r.wants("user.changed juliet")
	if s := r.f.Status(); s.Server != r.slapd.URL() {
		t.Errorf("followed is %s", s.Server)
	}
}

// TestChecksumFirst: however far a server rotates a token, it is read the same.
func TestChecksumFirst(t *testing.T) {
	const want = "\x05\x04\x01\xff\x00\x03\x00\x00sequence" + "sum" + "payload"
	for rrc, rest := range map[byte]string{0: "payloadsum", 3: "sumpayload", 10: "payloadsum", 13: "sumpayload", 1: "mpayloadsu"} {
		token := []byte("\x05\x04\x01\xff\x00\x03\x00\x00sequence" + rest)
		token[7] = rrc
		got := checksumFirst(token)
		got[7] = 0
		if string(got) != want {
			t.Errorf("rotated by %d: %q", rrc, got)
		}
	}
	for _, short := range []string{"", "short", "\x05\x04\x01\xff\x00\x63\x00\x00sequence", "\x05\x04\x01\xff\x00\x63\x00\x00sequencex"} {
		if got := checksumFirst([]byte(short)); string(got) != short {
			t.Errorf("%q became %q", short, got)
		}
	}
}
