package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func block(t *testing.T, name string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
}

// openssl ecparam writes SEC 1 behind the parameters, openssl genpkey PKCS #8, and
// web-push the number alone: the same key each time.
func TestKeysAreRead(t *testing.T) {
	sender := rfcSender(t) // any key of P-256 will do
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sender.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	sec1 := block(t, "EC PRIVATE KEY", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(private)
	pkcs8 := block(t, "PRIVATE KEY", der, err)
	raw := base64url.EncodeToString(sender.Bytes())
	want := base64url.EncodeToString(sender.PublicKey().Bytes())
	for name, text := range map[string]string{
		"SEC 1":                 sec1,
		"SEC 1 with parameters": block(t, "EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil) + sec1,
		"PKCS #8":               pkcs8,
		"base64url":             raw,
		"base64url in a line":   raw + "\n",
		"base64url, padded":     raw + "=\n",
	} {
		key, err := ParseKey([]byte(text))
		if err != nil || key.Public() != want {
			t.Errorf("%s: %v", name, err)
		}
	}

	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	der384, err384 := x509.MarshalECPrivateKey(p384)
	derRSA, errRSA := x509.MarshalPKCS8PrivateKey(other)
	for name, text := range map[string]string{
		"nothing":         "",
		"the public half": want,
		"a public PEM":    block(t, "PUBLIC KEY", public, err),
		"another curve":   block(t, "EC PRIVATE KEY", der384, err384),
		"RSA":             block(t, "PRIVATE KEY", derRSA, errRSA),
		"encrypted":       strings.ReplaceAll(pkcs8, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
		"cut off":         sec1[:len(sec1)/2],
		"zero":            base64url.EncodeToString(make([]byte, 32)),
		"hex":             strings.Repeat("0f", 32),
	} {
		if _, err := ParseKey([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), raw) {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

// One token for each push service, for hours, and never one near its end.
func TestTokensAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokens{key: newKey(t), contact: "mailto:push@example.org", now: time.Now}
		get := func(origin string) string {
			t.Helper()
			h, err := tokens.header(origin)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		first, other := get("https://a.example"), get("https://b.example")
		if first == other {
			t.Error("one token for two services")
		}
		time.Sleep(tokenUse - time.Second)
		if get("https://a.example") != first {
			t.Error("not kept")
		}
		time.Sleep(time.Second)
		if get("https://a.example") == first {
			t.Error("kept for too long")
		}
		for range maxTokens {
			get("https://" + rand.Text() + ".example")
		}
		if n := len(tokens.kept); n > maxTokens {
			t.Errorf("%d tokens are kept", n)
		}
	})
}

// A clock that was far ahead when the token was made.
func TestTokenFromTheFutureIsNotKept(t *testing.T) {
	now := time.Now().Add(48 * time.Hour)
	tokens := &tokens{key: newKey(t), contact: "mailto:push@example.org", now: func() time.Time { return now }}
	first, err := tokens.header("https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	now = time.Now()
	if second, err := tokens.header("https://a.example"); err != nil || second == first {
		t.Error("kept", err)
	}
}
