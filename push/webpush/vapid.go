package webpush

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// How long a VAPID token is good for, and for how long it is used. RFC 8292 §2
// allows 24 hours; the distance to that, and to the end when it is used last, is
// what clocks may differ.
const (
	tokenLife = 12 * time.Hour
	tokenUse  = 6 * time.Hour
	maxTokens = 1024 // push services that one is kept for; devices choose them
)

// Key is the key of an application server (RFC 8292 §3.2). A subscription is made
// for its public half and good for no other.
type Key struct {
	private *ecdsa.PrivateKey
	public  string
}

// ParseKey reads a private key of P-256: PEM (PKCS #8 or SEC 1), or the number
// alone in base64url, as web-push and others make it.
func ParseKey(text []byte) (*Key, error) {
	private, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("not a private key of P-256: %w", err)
	}
	if private.Curve != elliptic.P256() {
		return nil, errors.New("not a private key of P-256 but of another curve")
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return &Key{private: private, public: base64url.EncodeToString(public)}, nil
}

func parsePrivate(text []byte) (*ecdsa.PrivateKey, error) {
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		raw, err := decode(strings.TrimRight(strings.TrimSpace(string(text)), "="), 32)
		if err != nil {
			return nil, errors.New("neither PEM nor 32 bytes in base64url")
		}
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			private, ok := any.(*ecdsa.PrivateKey)
			if !ok {
				return nil, errors.New("it is of another kind")
			}
			return private, nil
		}
	}
	return nil, errors.New("there is no unencrypted PRIVATE KEY in the PEM")
}

// Public is what apps subscribe with: applicationServerKey of the Push API, vapid
// of UnifiedPush.
func (k *Key) Public() string { return k.public }

// sign makes a token (RFC 8292 §2, RFC 7518 §3.4).
func (k *Key) sign(aud, sub string, exp time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}{aud, exp.Unix(), sub})
	if err != nil {
		return "", err
	}
	text := base64url.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + base64url.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64url.EncodeToString(signature[:]), nil
}

// tokens keeps the token of each push service, since services keep what they
// have verified (RFC 8292 §4).
type tokens struct {
	key     *Key
	contact string
	now     func() time.Time

	mu   sync.Mutex
	kept map[string]token // by origin
}

type token struct {
	text string
	made time.Time
}

// header gives the value of Authorization for a push service.
func (t *tokens) header(origin string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	k, ok := t.kept[origin]
	if age := now.Sub(k.made); !ok || age >= tokenUse || age < 0 {
		text, err := t.key.sign(origin, t.contact, now.Add(tokenLife))
		if err != nil {
			return "", err
		}
		if len(t.kept) >= maxTokens || t.kept == nil {
			t.kept = make(map[string]token) // signing again is cheap
		}
		k = token{text, now}
		t.kept[origin] = k
	}
	return "vapid t=" + k.text + ", k=" + t.key.public, nil
}
