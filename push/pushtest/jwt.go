package pushtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// jwt is a JSON web token, taken apart but not yet believed (RFC 7515 §7.1).
type jwt struct {
	Header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}
	Claims struct {
		Iss   string `json:"iss"`
		Aud   string `json:"aud"`
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
