package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"rouse/session"
)

// Nodes issues the nodes and secrets of registrations from one key. Both follow
// from the device, so a device that registers again gets the same ones and
// nothing has to be looked up; and a node of ours is known as ours even after the
// store was lost.
//
// A node is 32 characters of base64url: 18 bytes of id, and 6 bytes that only the
// owner of the key can compute over it.
type Nodes struct{ key []byte }

// KeySize is the size of the key in bytes.
const KeySize = 32

const (
	idSize  = 18
	macSize = 6
)

// NewNodes takes the key, KeySize bytes in hex.
func NewNodes(key string) (*Nodes, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != KeySize {
		return nil, errors.New("the node key must be 64 hexadecimal digits")
	}
	return &Nodes{key: raw}, nil
}

// NewKey makes a node key, in the form that NewNodes takes.
func NewKey(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

func (n *Nodes) mac(purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, n.key)
	h.Write([]byte(purpose))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// Issue gives the node of a device with a provider.
func (n *Nodes) Issue(provider, device string) string {
	id := n.mac("node", provider, device)[:idSize]
	return base64.RawURLEncoding.EncodeToString(append(id, n.mac("mac", string(id))[:macSize]...))
}

// Stand gives the node that stands for one which was not issued here: clients of
// some families choose their node themselves. What one domain calls so is another
// node than what the next one does.
func (n *Nodes) Stand(domain, node string) string {
	return n.Issue("foreign", domain+"\x00"+node)
}

// Canonical gives the node that a node of ours or of a client's choice has here.
func (n *Nodes) Canonical(domain, node string) string {
	if n.Ours(node) {
		return node
	}
	return n.Stand(domain, node)
}

// Proves reports whether a secret is that of a node.
func (n *Nodes) Proves(secret, node string) bool {
	return equal(secret, n.Secret(node))
}

// Marks reports whether a fingerprint, as servers are told to keep it, is that of a
// node's secret.
func (n *Nodes) Marks(fingerprint, node string) bool {
	return equal(fingerprint, session.Fingerprint(n.Secret(node)))
}

// equal compares what must not be guessed piece by piece.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Ours reports whether a node was issued under this key.
func (n *Nodes) Ours(node string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(node)
	if err != nil || len(raw) != idSize+macSize || len(node) != base64.RawURLEncoding.EncodedLen(len(raw)) { // line ends are passed over
		return false
	}
	return subtle.ConstantTimeCompare(raw[idSize:], n.mac("mac", string(raw[:idSize]))[:macSize]) == 1
}

// Secret gives the publish secret that belongs to a node.
func (n *Nodes) Secret(node string) string {
	return base64.RawURLEncoding.EncodeToString(n.mac("secret", node)[:18])
}

// Key gives a key for another purpose, that follows from this one.
func (n *Nodes) Key(purpose string) [sha256.Size]byte {
	return [sha256.Size]byte(n.mac("key", purpose))
}

// Fingerprint names the key without giving it away, so that a store can tell
// whether it still has the key its nodes were issued under.
func (n *Nodes) Fingerprint() string { return hex.EncodeToString(n.mac("fingerprint")[:8]) }
