package webpush

import (
	"bytes"
	"crypto/ecdh"
	"strings"
	"testing"
	"time"
)

func b64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64url.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The subscription of RFC 8291 §5 with the keys of its appendix A.
const (
	rfcEndpoint = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"
	rfcP256DH   = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	rfcAuth     = "BTBZMqHH6r4Tts7J_aSIgg"
	rfcToken    = rfcEndpoint + " " + rfcP256DH + " " + rfcAuth
	rfcSalt     = "DGv6ra1nlYgDCS1FRnbzlw"
)

func rfcSender(t *testing.T) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().NewPrivateKey(b64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEncryptionOfRFC8291(t *testing.T) {
	sub, err := Parse(rfcToken)
	if err != nil {
		t.Fatal(err)
	}
	sender := rfcSender(t)
	ikm, err := combine(sub, sender)
	if want := b64(t, "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg"); err != nil || !bytes.Equal(ikm, want) {
		t.Errorf("IKM %s, %v", base64url.EncodeToString(ikm), err)
	}
	got, err := seal(sub, sender, [saltSize]byte(b64(t, rfcSalt)), []byte("When I grow up, I want to be a watermelon"), 0)
	want := b64(t, "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %s, %v", base64url.EncodeToString(got), err)
	}
}

// RFC 8188 §3.1. The two records of §3.2 are for readers: a message of Web Push
// is one record (RFC 8291 §4); the stand-in reads both.
func TestContentCodingOfRFC8188(t *testing.T) {
	got, err := record(b64(t, "yqdlZ-tYemfogSmv7Ws5PQ"), [saltSize]byte(b64(t, "I1BsxtFttlv3u_Oo94xnmw")), nil, []byte("I am the walrus"), 0)
	if want := b64(t, "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %s, %v", base64url.EncodeToString(got), err)
	}
}

// RFC 8292 §2.4: what is signed there is what we sign; the signature is another
// one each time.
func TestTokenOfRFC8292(t *testing.T) {
	const want = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0"
	key := newKey(t)
	token, err := key.sign("https://push.example.net", "mailto:push@example.com", time.Unix(1453523768, 0))
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndexByte(token, '.')
	if token[:i] != want {
		t.Errorf("signed: %s", token[:i])
	}
	if n := len(b64(t, token[i+1:])); n != 64 {
		t.Errorf("a signature of %d bytes", n)
	}
}

func TestEveryMessageHasAKeyAndASaltOfItsOwn(t *testing.T) {
	sub, err := Parse(rfcToken)
	if err != nil {
		t.Fatal(err)
	}
	one, err := encrypt(sub, []byte(`{"account":"a","count":1}`))
	if err != nil {
		t.Fatal(err)
	}
	two, err := encrypt(sub, []byte(`{"account":"a","count":1000000}`))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one[:saltSize], two[:saltSize]) || bytes.Equal(one[21:headerSize], two[21:headerSize]) {
		t.Error("salt or key came twice")
	}
	if len(one) != len(two) {
		t.Errorf("the lengths %d and %d tell the messages apart", len(one), len(two))
	}
}
