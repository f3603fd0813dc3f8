package session

import "time"

// Job is a claimed wake with what a provider needs to send it.
type Job struct {
	Owner  string
	Key    WakeKey
	Wake   Wake
	ID     string       // UUID, the same over all tries of this wake
	Target Registration // App "" : the service is a third party's, the server publishes to it

	Fate     *Settlement // what becomes of it without a try; nil: it is to be sent
	Priority bool        // a push service of others wants to know whether it is urgent
	Content  *Content    // what there is to say besides; nil: nothing, or nothing is known of it any more
}

// Settlement is what became of a try.
type Settlement struct {
	Verdict Verdict       // Sent, Again, GaveUp or Died
	At      time.Time     // when the try ended
	Due     time.Time     // Again: not before
	Once    bool          // Sent: the device is not expected to come back (its app does not connect when it is woken)
	Free    bool          // Again: the try does not count (the app was stopped, nothing was sent)
	Since   time.Time     // Died: since when the provider knows; zero: unknown
	Why     string        // provider and its own word, for the record: "apns: 410 Unregistered"
	Latency time.Duration // from the first stanza's decision to the provider's answer
}
