package apns

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sideshow/apns2/token"
)

// mintEvery is how often Apple takes a new provider token; more often is
// answered with 429 TooManyProviderTokenUpdates.
const mintEvery = 20 * time.Minute

// Key is a signing key (.p8) and the provider token that it signed last. All
// apps that use one key must share one Key: each token of its own would count
// against the limit. apns2 signs anew after 50 minutes; Apple refuses a token
// after 60.
type Key struct {
	text  []byte
	token *token.Token
}

// NewKey reads a .p8 file's content and proves that it signs.
func NewKey(p8 []byte, keyID, teamID string) (*Key, error) {
	private, err := token.AuthKeyFromBytes(p8)
	if err != nil {
		return nil, fmt.Errorf("not a signing key as Apple hands it out (.p8): %w", err)
	}
	if keyID == "" || teamID == "" {
		return nil, errors.New("a signing key needs key_id and team_id")
	}
	k := &Key{text: bytes.Clone(p8), token: &token.Token{AuthKey: private, KeyID: keyID, TeamID: teamID}}
	// apns2 ignores that signing fails, so it is tried here.
	if _, err := k.token.Generate(); err != nil {
		return nil, fmt.Errorf("the key cannot sign: %w", err)
	}
	return k, nil
}

// bearer is the provider token that is in use.
func (k *Key) bearer() string {
	return k.token.GenerateIfExpired()
}

// renew replaces a token that Apple called expired, unless that happened
// meanwhile. It reports false when the token is too young for that: then it is
// not the token that is wrong but a clock.
func (k *Key) renew(refused string) bool {
	k.token.Lock()
	defer k.token.Unlock()
	if k.token.Bearer != refused {
		return true
	}
	if time.Since(time.Unix(k.token.IssuedAt, 0)) < mintEvery {
		return false
	}
	_, err := k.token.Generate()
	return err == nil
}

// Keys keeps one Key per team and key id. The zero Keys is ready.
type Keys struct {
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
	k, err := NewKey(p8, keyID, teamID)
	if err != nil {
		return nil, err
	}
	if ks.keys == nil {
		ks.keys = make(map[[2]string]*Key)
	}
	ks.keys[name] = k
	return k, nil
}
