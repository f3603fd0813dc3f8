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
	App     string    `json:"app"`    // name of the [[app]] that sends
	Token   string    `json:"token"`  // device token; never logged
	Device  string    `json:"device"` // p2: hex SHA-1 of bare JID, NUL, device id: the client compares it with data.account
	Domain  string    `json:"domain"` // servers of this domain may publish
	Family  Family    `json:"family,omitempty"`
	Account string    `json:"account,omitempty"` // bare JID, only where the app finds its account by it
	Channel string    `json:"channel,omitempty"` // p2: hex SHA-1 of a room's bare JID, NUL, device id, if it is for that room
	Calls   string    `json:"calls,omitempty"`   // another device token, for calls alone (PushKit); never logged
	Updated time.Time `json:"updated"`           // last registration by the client
	Dead    string    `json:"dead,omitempty"`    // provider's reason; empty while the token lives
	Died    time.Time `json:"died,omitzero"`
}

// Family is the way in which a client and a push service agree on a node.
type Family string

const (
	P2        Family = ""          // Conversations: the node is issued, publishes bring its secret
	Appserver Family = "appserver" // mod_push_appserver: the client chooses the node, publishes bring its secret
	Tigase    Family = "tigase"    // Siskin, Snikket on iOS: the node is issued, and enough
	Fpush     Family = "fpush"     // Monal: the node is the device token
	Mongoose  Family = "mongoose"  // MongooseIM: the client chooses the node, publishes bring the device token
)

// Issued reports whether the node is one that we issued.
func (f Family) Issued() bool { return f == P2 || f == Tigase }

// Secret reports whether a publish has to bring the secret of the node.
func (f Family) Secret() bool { return f == P2 || f == Appserver }

// Live reports whether the device can be woken.
func (r Registration) Live() bool { return r.Dead == "" }

// Tombstone is what is left of a registration that ended: nothing of the device
// and its user.
func (r Registration) Tombstone() Registration {
	r.Token, r.Device, r.Account, r.Channel, r.Calls = "", "", "", "", ""
	return r
}

// Fingerprint is what is kept of a publish secret, so that a store or a log
// never holds one: half of its SHA-256, in hex.
func Fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}
