package session

import "time"

// Verdict is what a rule said about one endpoint, or about an account.
type Verdict string

const (
	Woke     Verdict = "wake"     // a wake is owed from now on
	Merged   Verdict = "merged"   // an owed wake now stands for this stanza too
	Covered  Verdict = "covered"  // a wake for this stanza was owed or given before
	Quiet    Verdict = "quiet"    // nobody is to be woken
	Withdrew Verdict = "withdraw" // an owed wake is not needed any more
	Sent     Verdict = "sent"     // the provider accepted the wake
	Again    Verdict = "again"    // the provider did not accept it yet
	GaveUp   Verdict = "gave-up"  // the wake came too late to be of use
	Died     Verdict = "dead"     // the endpoint cannot be woken any more
)

// Verdicts lists them all, for metrics.
func Verdicts() []Verdict {
	return []Verdict{Woke, Merged, Covered, Quiet, Withdrew, Sent, Again, GaveUp, Died}
}

// Reason is one line of the record: what was decided about whom, and why.
type Reason struct {
	At       time.Time `json:"at"`
	Rule     string    `json:"rule,omitempty"` // a1 … c, p for publishes; empty where no rule of XEP-0357 speaks
	Event    Kind      `json:"event"`
	Verdict  Verdict   `json:"verdict"`
	Class    Class     `json:"class"`
	Endpoint Address   `json:"endpoint,omitzero"` // zero: the whole account
	Session  string    `json:"session,omitempty"`
	Why      string    `json:"why"` // one short sentence for a person

	After time.Duration `json:"after,omitempty"` // what became of a try to send a wake: since that was first owed
}
