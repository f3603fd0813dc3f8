package session

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Registration is one device as a push provider knows it. It is found by the
// node that we issued for it, and never expires by itself.
type Registration struct {
	Node    string    `json:"-"`
	App     string    `json:"app"`            // name of the [[app]] that sends
	Token   string    `json:"token"`          // device token; never logged
	Device  string    `json:"device"`         // p2: hex SHA-1 of bare JID, NUL, device id: the client compares it with data.account
	Domain  string    `json:"domain"`         // servers of this domain may publish
	Updated time.Time `json:"updated"`        // last registration by the client
	Dead    string    `json:"dead,omitempty"` // provider's reason; empty while the token lives
	Died    time.Time `json:"died,omitzero"`
}

// Live reports whether the device can be woken.
func (r Registration) Live() bool { return r.Dead == "" }

// Fingerprint is what is kept of a publish secret, so that a store or a log
// never holds one: half of its SHA-256, in hex.
func Fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}
