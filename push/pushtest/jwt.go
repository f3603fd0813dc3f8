package pushtest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// jwt is a JSON web token, taken apart but not yet believed (RFC 7515 §7.1).
type jwt struct {
	Header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}
	Claims struct {
		Iss   string `json:"iss"`
		Aud   string `json:"aud"`
		Sub   string `json:"sub"`
		Scope string `json:"scope"`
		Iat   int64  `json:"iat"`
		Exp   int64  `json:"exp"`
	}
	Signed    []byte
	Signature []byte
}

func parseJWT(s string) (jwt, error) {
	var t jwt
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return t, errors.New("not of three parts")
	}
	for i, into := range []any{&t.Header, &t.Claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return t, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return t, err
		}
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	t.Signed, t.Signature = []byte(parts[0]+"."+parts[1]), sig
	return t, err
}

// signedBy checks an ES256 signature: r and s, 32 bytes each (RFC 7518 §3.4).
func (t jwt) signedBy(key *ecdsa.PublicKey) bool {
	if len(t.Signature) != 64 {
		return false
	}
	sum := sha256.Sum256(t.Signed)
	r, s := new(big.Int).SetBytes(t.Signature[:32]), new(big.Int).SetBytes(t.Signature[32:])
	return ecdsa.Verify(key, sum[:], r, s)
}
