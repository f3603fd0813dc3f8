package directory

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Certificate is what is of interest of one.
type Certificate struct {
	Fingerprint     string // SHA-256, in hex
	Subject, Issuer string
	Serial          string
	NotAfter        time.Time
	usage           string
}

// Certificates reads those of an entry, in the order of their fingerprints. What is
// none is passed over.
func (e *Entry) Certificates() (list []Certificate) {
	for _, attr := range []string{"usercertificate;binary", "usercertificate"} {
		for _, text := range e.Attrs[attr] {
			der, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				continue
			}
			one, _, err := readCertificate(der)
			if err != nil {
				continue
			}
			if !slices.ContainsFunc(list, func(o Certificate) bool { return o.Fingerprint == one.Fingerprint }) {
				list = append(list, one)
			}
		}
	}
	slices.SortFunc(list, func(a, b Certificate) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return list
}

func readCertificate(der []byte) (one Certificate, name string, err error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return one, "", err
	}
	sum := sha256.Sum256(der)
	one = Certificate{Fingerprint: hex.EncodeToString(sum[:]), Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialNumber.String(), NotAfter: c.NotAfter.UTC()}
	for _, u := range c.ExtKeyUsage {
		one.usage += string(rune('a' + int(u)))
	}
	return one, c.Subject.CommonName, nil
}

// Revoked gives that a CA revoked a certificate, in DER. of is what its subject's common
// name stands for: a user, a host; nil: nobody knows.
func Revoked(der []byte, of func(name string) *Entry, at time.Time) (Event, error) {
	c, name, err := readCertificate(der)
	if err != nil {
		return Event{}, err
	}
	e := of(name)
	if e == nil {
		return Event{Kind: CertRevoked, Severity: Warning, At: at, Name: name, Text: "the certificate " + c.Subject + " was revoked", Fields: c.fields(), Key: key(c.Fingerprint, CertRevoked)}, nil
	}
	d := &diff{old: e, now: e, at: at}
	ev := d.say(CertRevoked, Warning, "a certificate of "+e.Name()+" ("+c.Subject+") was revoked", "your certificate "+c.Subject+" was revoked", c.fields())
	ev.Key = key(c.Fingerprint, CertRevoked)
	return *ev, nil
}

// Newest gives of certificates for the same subject, by the same issuer and for the
// same use the one that is valid longest: of the others nobody has to be warned.
func Newest(list []Certificate) (newest []Certificate) {
	for _, c := range list {
		i := slices.IndexFunc(newest, func(o Certificate) bool { return o.Subject == c.Subject && o.Issuer == c.Issuer && o.usage == c.usage })
		switch {
		case i < 0:
			newest = append(newest, c)
		case c.NotAfter.After(newest[i].NotAfter):
			newest[i] = c
		}
	}
	return newest
}

func (c Certificate) fields() map[string]string {
	return map[string]string{"subject": c.Subject, "issuer": c.Issuer, "serial": c.Serial, "not after": c.NotAfter.Format(time.RFC3339)}
}

// certificates: which came, and which went. One that takes another's place is one event.
func (d *diff) certificates() {
	var before []Certificate
	if d.old != nil {
		before = d.old.Certificates()
	}
	after := d.now.Certificates()
	has := func(list []Certificate, c Certificate) bool {
		return slices.ContainsFunc(list, func(o Certificate) bool { return o.Fingerprint == c.Fingerprint })
	}
	name, replaced := d.now.Name(), false
	for _, c := range after {
		if !has(before, c) {
			replaced = true
			f := d.by(c.fields())
			d.say(CertIssued, Info, "a certificate of "+name+" was issued, until "+c.NotAfter.Format(time.DateOnly), "a certificate of yours was issued, until "+c.NotAfter.Format(time.DateOnly), f, c.Fingerprint)
		}
	}
	for _, c := range before {
		if !has(after, c) && !replaced {
			d.say(CertRemoved, Warning, "a certificate of "+name+" was removed", "a certificate of yours was removed", d.by(c.fields()), c.Fingerprint)
		}
	}
}
