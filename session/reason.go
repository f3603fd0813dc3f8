package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Verdict is what a rule said about one endpoint, or about an account.
type Verdict string

const (
	Woke     Verdict = "wake"     // a wake is owed from now on
	Merged   Verdict = "merged"   // an owed wake now stands for this stanza too
	Covered  Verdict = "covered"  // a wake for this stanza was owed or given before
	Quiet    Verdict = "quiet"    // nobody is to be woken
	Filtered Verdict = "filtered" // the user does not want to be woken for it
	Withdrew Verdict = "withdraw" // an owed wake is not needed any more
	TooLate  Verdict = "too-late" // a wake is not needed any more, and was sent
	Hurried  Verdict = "hurried"  // an owed wake waits no longer
	Sent     Verdict = "sent"     // the provider accepted the wake
	Again    Verdict = "again"    // the provider did not accept it yet
	GaveUp   Verdict = "gave-up"  // the wake came too late to be of use
	Died     Verdict = "dead"     // the endpoint cannot be woken any more
	Back     Verdict = "back"     // the device is there that was woken
	Missing  Verdict = "missing"  // the device did not come back for long: it is not woken again
)

// Verdicts lists them all, for metrics.
func Verdicts() []Verdict {
	return []Verdict{Woke, Merged, Covered, Quiet, Filtered, Withdrew, TooLate, Hurried, Sent, Again, GaveUp, Died, Back, Missing}
}

// Reason is one line of the record: what was decided about whom, and why.
type Reason struct {
	At       time.Time `json:"at"`
	Rule     string    `json:"rule,omitempty"` // a1 … c, p for publishes, r for what is read elsewhere; empty where no rule of XEP-0357 speaks
	Event    Kind      `json:"event"`
	Verdict  Verdict   `json:"verdict"`
	Class    Class     `json:"class"`
	Endpoint Address   `json:"endpoint,omitzero"` // zero: the whole account
	Session  string    `json:"session,omitempty"`
	Why      string    `json:"why"` // one short sentence for a person

	// The stanza that it is about: the id that the account's archive gave it (XEP-0359),
	// and the Tag of the id that its sender gave it. Empty: none, or it is not known.
	Stanza string `json:"stanza,omitempty"`
	Tag    string `json:"tag,omitempty"`

	After time.Duration `json:"after,omitempty"` // what became of a try to send a wake: since that was first owed
}

// About reports whether the reason is about the stanza with that id, be it its
// sender's, the archive's, or a Tag.
func (r Reason) About(id string) bool {
	return id != "" && (r.Stanza == id || r.Tag == id || r.Tag == Tag(id))
}

// Tag stands for the id that a sender gave a stanza, which may be anything: who
// knows the id finds the stanza, and nobody else learns from it. It is the first 6
// bytes of the SHA-256 in hex; empty of none.
func Tag(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

// InArchive is the id that the account's archive gave to the stanza with a key; empty
// if the key does not tell.
func InArchive(key string) string {
	id, ok := strings.CutPrefix(key, "s:")
	if !ok || len(id) > maxStanzaID {
		return ""
	}
	return id
}

// maxStanzaID bounds what a record has of each stanza. Archives have ids of 16 to 36 bytes.
const maxStanzaID = 64
