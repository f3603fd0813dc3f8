package unifiedpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"mellium.im/xmpp/jid"
)

// hashSize is the size of the names of applications and instances: SHA-256.
const hashSize = sha256.Size

// The bounds of a token as text. A JID has up to 3071 bytes (RFC 7622 §3.1).
const (
	fixedSize = 8 + 2*hashSize
	maxJID    = 3071
)

// target is whom a push is for.
type target struct {
	client      jid.JID
	application [hashSize]byte
	instance    [hashSize]byte
	until       time.Time
}

// sealer makes tokens that only it can read and make: AES-256-GCM with a random
// nonce before it. 2^32 tokens under one key are safe (NIST SP 800-38D §8.3).
type sealer struct{ aead cipher.AEAD }

func newSealer(key [32]byte) (sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

var base64url = base64.RawURLEncoding.Strict()

func (s sealer) seal(t target) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(t.until.Unix()))
	plain = append(append(plain, t.application[:]...), t.instance[:]...)
	plain = append(plain, t.client.String()...)
	return base64url.EncodeToString(s.aead.Seal(nil, nil, plain, nil))
}

var errToken = errors.New("not a token of ours, or past its time")

// open reads a token that is good at that time.
func (s sealer) open(text string, now time.Time) (target, error) {
	if len(text) > base64url.EncodedLen(fixedSize+maxJID+s.aead.Overhead()) {
		return target{}, errToken
	}
	sealed, err := base64url.DecodeString(text)
	if err != nil {
		return target{}, errToken
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) <= fixedSize {
		return target{}, errToken
	}
	t := target{until: time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)}
	copy(t.application[:], plain[8:])
	copy(t.instance[:], plain[8+hashSize:])
	if t.client, err = jid.Parse(string(plain[fixedSize:])); err != nil || !now.Before(t.until) {
		return target{}, errToken
	}
	return t, nil
}

// parseHash reads the name of an application or instance.
func parseHash(text string) (h [hashSize]byte, ok bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != hashSize || len(text) != base64.StdEncoding.EncodedLen(hashSize) {
		return h, false
	}
	return [hashSize]byte(b), true
}

func formatHash(h [hashSize]byte) string { return base64.StdEncoding.EncodeToString(h[:]) }
