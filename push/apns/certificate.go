package apns

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sideshow/apns2/certificate"
	"software.sslmate.com/src/go-pkcs12"

	"rouse/push"
)

// ReadCertificate reads a push certificate with its key, PEM or PKCS#12.
func ReadCertificate(content []byte, password string) (tls.Certificate, error) {
	if strings.Contains(string(content), "-----BEGIN") {
		c, err := certificate.FromPemBytes(content, password)
		if errors.Is(err, certificate.ErrFailedToDecryptKey) || errors.Is(err, certificate.ErrFailedToParsePrivateKey) {
			err = push.Remedied(err, "look at password_file; a PKCS#8 key that is encrypted has to be PKCS#12, or PEM without password")
		}
		return c, err
	}
	key, leaf, chain, err := pkcs12.DecodeChain(content, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return tls.Certificate{}, push.Remedied(errors.New("the password of the PKCS#12 is another one"), "look at password_file")
	case err != nil:
		return tls.Certificate{}, push.Remedied(fmt.Errorf("neither PEM nor PKCS#12: %w", err), "openssl pkcs12 -export makes one from certificate and key")
	}
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, above := range chain {
		c.Certificate = append(c.Certificate, above.Raw)
	}
	return c, nil
}

// The places where Apple's certificates say what they are for.
var (
	uid         = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1} // of the subject: the bundle id
	development = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}
	production  = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}
	topics      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6} // topics, each with what it is for
)

// suits reports what is wrong about a certificate for these options, as far as
// the certificate says anything about it. Apple has the last word.
func suits(leaf *x509.Certificate, o Options) error {
	if named := topicsOf(leaf); len(named) > 0 {
		wanted := []string{o.Topic}
		if o.VoIP && slices.ContainsFunc(named, func(s string) bool { return s != o.Topic }) { // an old certificate names one topic and means both
			wanted = append(wanted, o.Topic+".voip")
		}
		for _, topic := range wanted {
			if !slices.Contains(named, topic) {
				return push.Remedied(fmt.Errorf("the certificate is for %s, not for %s", strings.Join(named, ", "), topic), "look at topic and certificate_file")
			}
		}
	}
	dev, prod := has(leaf, development), has(leaf, production)
	if dev != prod && o.Sandbox != dev {
		one, other := "production", "sandbox"
		if dev {
			one, other = other, one
		}
		return push.Remedied(fmt.Errorf("the certificate is for %s, not for %s", one, other), "look at environment and certificate_file")
	}
	return nil
}

// topicsOf lists what a certificate names; nothing: it does not say.
func topicsOf(leaf *x509.Certificate) []string {
	var named []string
	for _, e := range leaf.Extensions {
		var list []asn1.RawValue
		if !e.Id.Equal(topics) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &list); err != nil || len(rest) > 0 {
			continue
		}
		for _, v := range list {
			if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagUTF8String {
				named = append(named, string(v.Bytes))
			}
		}
	}
	for _, name := range leaf.Subject.Names {
		if s, ok := name.Value.(string); ok && name.Type.Equal(uid) && len(named) == 0 {
			named = append(named, s)
		}
	}
	return named
}

func has(leaf *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, e := range leaf.Extensions {
		if e.Id.Equal(id) {
			return true
		}
	}
	return false
}
