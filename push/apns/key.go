package apns

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/sideshow/apns2/token"
)

// Apple takes a provider token that is younger than an hour, and a new one of the
// same key no sooner than every 20 minutes: otherwise it answers 429
// TooManyProviderTokenUpdates. So a token is signed for a step of the clock that
// is between the two, a little back from now for clocks that are ahead.
const (
	step = 40 * time.Minute
	back = 2 * time.Minute
)

// Key is a signing key (.p8) and the provider token that is in use.
//
// The token follows from the key and the clock alone: its time of issue is that
// of the step, and the signature is the deterministic one of RFC 6979. Whoever
// has the key makes the same token, after a restart and on another machine, so
// nothing has to be kept, and Apple never sees more than one of a key in a step.
type Key struct {
	text        []byte
	private     *ecdsa.PrivateKey
	keyID, team string
	now         func() time.Time

	mu     sync.Mutex
	issued time.Time
	token  string
}

// NewKey reads a .p8 file's content and proves that it signs. A nil clock is the
// system's.
func NewKey(p8 []byte, keyID, teamID string, now func() time.Time) (*Key, error) {
	private, err := token.AuthKeyFromBytes(p8)
	if err != nil {
		return nil, fmt.Errorf("not a signing key as Apple hands it out (.p8): %w", err)
	}
	if private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("not a signing key as Apple hands it out (.p8): it is of the curve %s, not P-256", private.Params().Name)
	}
	if keyID == "" || teamID == "" {
		return nil, errors.New("a signing key needs key_id and team_id")
	}
	if now == nil {
		now = time.Now
	}
	k := &Key{text: bytes.Clone(p8), private: private, keyID: keyID, team: teamID, now: now}
	if _, err := k.sign(k.step()); err != nil {
		return nil, fmt.Errorf("the key cannot sign: %w", err)
	}
	return k, nil
}

func (k *Key) step() time.Time { return k.now().Add(-back).Truncate(step) }

// bearer is the provider token that is in use.
func (k *Key) bearer() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	issued := k.step()
	if k.token != "" && k.issued.Equal(issued) {
		return k.token, nil
	}
	signed, err := k.sign(issued)
	if err == nil {
		k.token, k.issued = signed, issued
	}
	return signed, err
}

// sign makes a token as of RFC 7519, ES256 (RFC 7518 §3.4), the same for the same
// time.
func (k *Key) sign(issued time.Time) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": k.keyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": k.team, "iat": issued.Unix()})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	der, err := k.private.Sign(nil, sum[:], crypto.SHA256) // no randomness: RFC 6979
	if err != nil {
		return "", err
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		return "", err
	}
	raw := make([]byte, 64)
	signature.R.FillBytes(raw[:32])
	signature.S.FillBytes(raw[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(raw), nil
}

// Keys keeps one Key per team and key id. The zero Keys is ready.
type Keys struct {
	Now func() time.Time // nil: the system's

	mu   sync.Mutex
	keys map[[2]string]*Key
}

// Get gives the Key of these ids, made at the first call.
func (ks *Keys) Get(p8 []byte, keyID, teamID string) (*Key, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	name := [2]string{teamID, keyID}
	if k, ok := ks.keys[name]; ok {
		if !bytes.Equal(k.text, p8) {
			return nil, fmt.Errorf("two different keys have the key_id %q and the team_id %q", keyID, teamID)
		}
		return k, nil
	}
	k, err := NewKey(p8, keyID, teamID, ks.Now)
	if err != nil {
		return nil, err
	}
	if ks.keys == nil {
		ks.keys = make(map[[2]string]*Key)
	}
	ks.keys[name] = k
	return k, nil
}
