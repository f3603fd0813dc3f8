package pushtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"time"
)

// PushCertificate is a certificate as Apple issues it to push with.
type PushCertificate struct {
	Topics       []string  // by Apple's extension; nil: the stand-in's first, by the subject's UID
	Environments []string  // production, sandbox; nil: the certificate does not say, and both are meant
	Until        time.Time // zero: tomorrow
}

// The places where Apple's certificates say what they are for.
var (
	uidName       = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	sandboxOID    = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}
	productionOID = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}
	topicsOID     = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6}
)

// Certificate makes a client certificate that the stand-in takes in place of
// provider tokens, and believes about its topics and environments.
func (a *APNs) Certificate(p PushCertificate) (tls.Certificate, error) {
	if p.Topics == nil && p.Environments == nil {
		p.Environments = []string{"production", "sandbox"}
	}
	subject := a.opts.Topics[0]
	if len(p.Topics) > 0 {
		subject = p.Topics[0]
	}
	c, err := a.issue("Apple Push Services: "+subject, x509.ExtKeyUsageClientAuth, func(t *x509.Certificate) {
		t.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: uidName, Value: subject}}
		for name, oid := range map[string]asn1.ObjectIdentifier{"sandbox": sandboxOID, "production": productionOID} {
			if slices.Contains(p.Environments, name) {
				t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oid, Value: asn1.NullBytes})
			}
		}
		if p.Topics != nil {
			t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: topicsOID, Value: topicList(p.Topics)})
		}
		if !p.Until.IsZero() {
			t.NotAfter = p.Until
		}
	})
	if err != nil {
		return c, err
	}
	if p.Topics == nil {
		p.Topics = []string{subject, subject + ".voip"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issued[string(c.Certificate[0])] = p
	return c, nil
}

// topicList writes the extension: each topic, followed by what it is for.
func topicList(topics []string) []byte {
	var list []asn1.RawValue
	utf8 := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)} }
	for _, topic := range topics {
		list = append(list, utf8(topic), asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: der(utf8("app"))})
	}
	return der(list)
}

func der(v any) []byte {
	b, err := asn1.Marshal(v)
	if err != nil {
		panic(err) // only values made here
	}
	return b
}

// PEM writes a certificate with its key into one file.
func PEM(c tls.Certificate) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, b := range c.Certificate {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: b}) // a buffer takes all
	}
	pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	return out.Bytes(), nil
}

// permitted is what Apple says of a push that comes with a certificate.
func (a *APNs) permitted(state *tls.ConnectionState, topic string) (int, string) {
	a.mu.Lock()
	p, ok := a.issued[string(state.PeerCertificates[0].Raw)]
	a.mu.Unlock()
	environment := "production"
	if a.opts.Sandbox {
		environment = "sandbox"
	}
	switch {
	case !ok:
		return 403, "BadCertificate"
	case p.Environments != nil && !slices.Contains(p.Environments, environment):
		return 403, "BadCertificateEnvironment"
	case topic != "" && !slices.Contains(p.Topics, topic):
		return 400, "TopicDisallowed"
	}
	return 200, ""
}
