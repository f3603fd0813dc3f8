package business

import (
	"fmt"
	"time"
)

// Policy is what an operator may choose about the rules ([rules] in rouse.toml).
type Policy struct {
	// Coalesce is the window of an endpoint: its first wake goes out at once,
	// what follows within the window goes out as one wake at its end. Calls and
	// wakes of a higher class than the last do not wait.
	Coalesce time.Duration

	// Grace is how long a wake waits whether the stanza is read elsewhere, as long as
	// another session is active. Calls do not wait. 0: none does.
	Grace time.Duration

	// Repeat is after how long a device that was woken and did not come back is woken
	// again: the first time, the second, and so on, the last one for ever, until
	// RepeatFor has passed since it was woken first. Empty: it is not.
	Repeat    []time.Duration
	RepeatFor time.Duration

	// Zone gives the clock of a place (IANA time zone), for quiet hours; UTC of what it
	// does not know. nil: there is only UTC.
	Zone func(string) *time.Location

	// Service is the push service that we are: endpoints of others are third
	// parties'. Empty: there are none.
	Service string

	// Calls is how many of them may ring a device in a minute, and Silents how many
	// silent wakes it may get in an hour, where Hold is asked. 0: there is no limit.
	Calls, Silents int
}

// DefaultPolicy suits most.
func DefaultPolicy() Policy {
	return Policy{Coalesce: 5 * time.Second, Calls: 10, Silents: 3,
		Repeat: []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}, RepeatFor: 14 * 24 * time.Hour}
}

// Rules names every rule, for metrics. Empty: no rule of ours speaks.
func Rules() []string { return []string{"", "a1", "a2", "a3", "a4", "b", "b'", "c", "p", "r"} }

const (
	joinFor      = 120 * time.Second // reports with one key within that time are about one stanza
	rememberEnds = 24 * time.Hour    // repeats of events of a session that is gone are known that long
	maxSightings = 64
	maxEndings   = 32
	maxWaits     = 64

	// MaxEndpoints bounds what an account can have us remember; the oldest goes.
	// Servers keep fewer (Prosody: push_max_devices, 5).
	MaxEndpoints = 32

	// MaxThirds bounds an account's endpoints at push services of third parties,
	// which cost us and its server more: as many as Prosody keeps of all.
	MaxThirds = 5

	// MaxNodes bounds the nodes of a host's cluster.
	MaxNodes = 64
)

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
