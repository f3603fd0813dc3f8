package fcm

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// signs proves that a private key can sign, so that a broken file is found when
// it is read and not at the first wake.
func signs(text []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("not in PEM format")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return nil
		}
		return err
	}
	if _, ok := key.(*rsa.PrivateKey); !ok {
		return errors.New("not an RSA key")
	}
	return nil
}
