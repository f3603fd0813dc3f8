package push

import (
	"context"
	"time"

	"rouse/session"
)

// Notification is one wake for one device.
type Notification struct {
	ID       string // UUID, the same over all tries of one wake (apns-id)
	Class    session.Class
	Count    int             // stanzas it stands for
	Owner    string          // whose wake it is: for relay the account, a bare JID
	Address  session.Address // the endpoint as the account's server knows it
	Target   session.Registration
	Expires  time.Time // of no use after that
	Collapse string    // equal for wakes that may replace each other; at most 64 bytes
	Priority bool      // relay: the push service wants to know whether it is urgent
	Content  Content   // what there is for the app besides
}

// Provider sends wakes for one app.
type Provider interface {
	// Send tries once, within the deadline of ctx. It is safe for concurrent use.
	Send(ctx context.Context, n Notification) Result

	// Check proves the credentials without waking anybody; nil: they work.
	Check(ctx context.Context) error
}

// Result says how a try went.
type Result struct {
	Outcome    Outcome
	Reason     string        // the provider's own word, for record and log
	RetryAfter time.Duration // the provider's wish; 0: none
	Since      time.Time     // TokenGone: since when the provider knows (APNs timestamp); zero: unknown
	Doubtful   bool          // TokenGone: would be said of every token if the app's topic, environment or project were wrong
	Unfit      bool          // BadRequest: because of what the device registered with, not by our mistake
	Absent     bool          // Unavailable: nobody answers for the push service, whoever the wake is for
	Unasked    bool          // Unavailable: nothing is known of the push service: it was not asked, or not waited for
	Err        error         // cause in full, for the log only; never holds the token
	Remedy     string        // what an operator can do about it; empty: nothing
}

// Outcome is the closed set of what can come of a try.
type Outcome uint8

const (
	Delivered      Outcome = iota // the provider took it
	TokenGone                     // the device will never be reached under this token
	RateLimited                   // this device gets too much; later
	Unavailable                   // provider or network fault; later
	BadCredentials                // our key or certificate is refused: the app is stopped, nobody loses a registration
	BadConfig                     // topic, project or environment are refused: the same
	BadRequest                    // our own mistake: this wake is given up, the registration stays
	NumOutcomes
)

// Outcomes lists them all, for metrics.
func Outcomes() []Outcome {
	all := make([]Outcome, NumOutcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}

// Stops reports whether the outcome is about the app rather than about one wake.
func (o Outcome) Stops() bool { return o == BadCredentials || o == BadConfig }

var outcomeNames = [NumOutcomes]string{"delivered", "token-gone", "rate-limited", "unavailable", "bad-credentials", "bad-config", "bad-request"}

func (o Outcome) String() string {
	if o < NumOutcomes {
		return outcomeNames[o]
	}
	return "unknown"
}
