package session

import (
	"maps"
	"slices"
	"time"
)

// Account is everything that decisions about one account rest on. It owns the
// pending wakes of its endpoints, so that every decision changes one thing only.
//
// A registration that servers publish to, and whose account is not one of ours,
// is an Account too: without sessions, with the one endpoint.
type Account struct {
	Epoch     uint64               `json:"epoch,omitempty"`    // reporter's epoch of the last event without a session
	Counter   uint64               `json:"n,omitempty"`        // and its counter
	Progress  []Progress           `json:"progress,omitempty"` // the same of each node of a cluster, the one that reported last at the end
	Sessions  map[string]Session   `json:"sessions,omitempty"`
	Endpoints map[Address]Endpoint `json:"endpoints,omitempty"`
	Seen      []Sighting           `json:"seen,omitempty"`    // keys of stanzas already decided, oldest first
	Ended     []Ending             `json:"ended,omitempty"`   // sessions that are gone, oldest first: repeats of their events are known
	Serial    uint64               `json:"serial,omitempty"`  // of the newest wake
	Waits     []Wait               `json:"waits,omitempty"`   // what the wakes stand for that may be read elsewhere, oldest first
	Devices   []Device             `json:"devices,omitempty"` // that the account registered with us, whoever publishes to them
	Filter    *Filter              `json:"filter,omitempty"`  // of all its devices
	Pending   map[WakeKey]Wake     `json:"-"`                 // kept as rows of their own
}

// Device is a registration as its account has it.
type Device struct {
	Node  string    `json:"node"`
	Since time.Time `json:"since"` // when it first registered
	At    time.Time `json:"at"`    // when it was last seen to register, to a day or so
}

// Progress is how far a node of a cluster has come with the events of an account
// that are no session's. A server without nodes has Epoch and Counter.
type Progress struct {
	Node    string `json:"node"`
	Epoch   uint64 `json:"epoch"`
	Counter uint64 `json:"n"`
}

// Session is one bound resource.
type Session struct {
	Resource string   `json:"resource,omitempty"`
	Client   string   `json:"client,omitempty"` // stable id of the client software's installation, where the server knows it
	State    State    `json:"state"`
	Epoch    uint64   `json:"epoch"`            // of the last event applied
	Counter  uint64   `json:"n"`                // of the last event applied
	Out      uint64   `json:"out,omitempty"`    // stanzas sent so far (XEP-0198 outbound count)
	Acked    uint64   `json:"acked,omitempty"`  // of which the client has acknowledged
	Covered  Coverage `json:"covered,omitzero"` // per class: the outbound count up to which a wake was given
	Told     Mark     `json:"told,omitzero"`    // what told of it last; its node has the session
}

// Address names an endpoint as XEP-0357 §5 does.
type Address struct {
	Service string // JID of the push service
	Node    string // may be empty: the node is only a SHOULD
}

// MarshalText joins both by a space, which no JID domain contains.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.Service + " " + a.Node), nil }

// UnmarshalText is the reverse of MarshalText.
func (a *Address) UnmarshalText(b []byte) error {
	for i, c := range b {
		if c == ' ' {
			a.Service, a.Node = string(b[:i]), string(b[i+1:])
			return nil
		}
	}
	a.Service, a.Node = string(b), ""
	return nil
}

// Endpoint is one device that can be woken.
type Endpoint struct {
	Owner    string      `json:"owner,omitempty"` // id of the session that enabled it; nobody's where that is not in Sessions
	Resource string      `json:"resource,omitempty"`
	Client   string      `json:"client,omitempty"`
	Secret   string      `json:"secret,omitempty"` // fingerprint of the publish secret the client enabled with, see Fingerprint
	Enabled  time.Time   `json:"enabled,omitzero"`
	Told     Mark        `json:"told,omitzero"`     // what told of it last
	Woken    time.Time   `json:"woken,omitzero"`    // when the last coalesced wake fell due: the window starts here
	WokenAs  Class       `json:"as,omitempty"`      // and the class of that wake: a higher one does not wait for the window
	Before   time.Time   `json:"before,omitzero"`   // while that wake is still to fall due: Woken as it was
	Behind   Class       `json:"behind,omitempty"`  // and WokenAs
	Held     Held        `json:"held,omitzero"`     // the wake that waits whether somebody reads elsewhere
	Calls    []time.Time `json:"calls,omitempty"`   // when those of the last minute were due
	Silents  []time.Time `json:"silents,omitempty"` // when those of the last hour were sent
	Dead     string      `json:"dead,omitempty"`    // why it cannot be woken any more; empty while it can
	Filter   *Filter     `json:"filter,omitempty"`  // of the device alone
	Expected Expected    `json:"expected,omitzero"` // it was woken, and has not come back
}

// Expected says that a device was woken and has not come back since. The zero value:
// it is not expected.
type Expected struct {
	Since   time.Time `json:"since,omitzero"`    // when the first of these wakes was sent
	At      time.Time `json:"at,omitzero"`       // when the last one was
	Class   Class     `json:"class,omitempty"`   // of the most important; a call is a message by now
	Count   int       `json:"count,omitempty"`   // stanzas they stand for that were not read elsewhere
	Again   int       `json:"again,omitempty"`   // how often it was woken again for them
	Wake    uint64    `json:"wake,omitempty"`    // Serial of the wake that is to wake it again; 0: there is none
	Missing bool      `json:"missing,omitempty"` // it is not woken again any more
}

// Held is a wake that waits, as long as the user is active elsewhere, whether the
// stanza is read there.
type Held struct {
	Wake uint64    `json:"wake"` // Serial; 0: there is none
	Else time.Time `json:"else"` // when it were due otherwise
}

// Wait is one report that a wake stands for, of a chat or a call. When that is read
// or taken elsewhere the wake is not needed.
type Wait struct {
	Endpoint Address   `json:"endpoint"`
	Chat     string    `json:"chat"`
	Class    Class     `json:"class"`
	Count    int       `json:"count"`
	Stanza   string    `json:"stanza,omitempty"` // as in a Reason
	Tag      string    `json:"tag,omitempty"`
	Wake     uint64    `json:"wake,omitempty"` // Serial; 0: it was sent
	At       time.Time `json:"at"`             // when it was decided, or sent
	Lease    time.Time `json:"lease,omitzero"` // of the wake when this joined it: whoever has that lease does not have this
	Read     bool      `json:"read,omitempty"` // it was read elsewhere while a worker had the wake
}

// Sighting remembers for a while that a stanza was decided, under its key.
type Sighting struct {
	Key   string    `json:"key"`
	At    time.Time `json:"at"`
	Woken []Address `json:"woken,omitempty"`
}

// Ending remembers the counters of a session that is gone.
type Ending struct {
	Session string    `json:"sid"`
	Epoch   uint64    `json:"epoch"`
	Counter uint64    `json:"n"`
	At      time.Time `json:"at"`
}

// WakeKey names a pending wake: per endpoint and class at most one.
type WakeKey struct {
	Address
	Class Class
}

// Wake is one wake that is owed and not yet accepted by the provider.
type Wake struct {
	Serial  uint64    `json:"serial"`            // names this wake within its owner; a later wake of the same key has another
	Count   int       `json:"count"`             // stanzas it stands for
	Rule    string    `json:"rule"`              // that asked for it first
	Since   time.Time `json:"since"`             // when the first of them was decided
	Due     time.Time `json:"due"`               // not before
	Attempt int       `json:"attempt,omitempty"` // sends tried so far
	Lease   time.Time `json:"lease,omitzero"`    // a worker holds it until then; zero: nobody does
	Sent    int       `json:"sent,omitempty"`    // Count as the worker took it; what came since is owed again
}

// Claimed reports whether a worker holds the wake at that time.
func (w Wake) Claimed(now time.Time) bool { return now.Before(w.Lease) }

// Clone copies deeply, so that a decision never changes what it was given.
func (a Account) Clone() Account {
	a.Sessions = cloneMap(a.Sessions)
	a.Endpoints = cloneMap(a.Endpoints)
	a.Pending = cloneMap(a.Pending)
	a.Progress = slices.Clone(a.Progress)
	a.Devices = slices.Clone(a.Devices)
	a.Ended = slices.Clone(a.Ended)
	a.Waits = slices.Clone(a.Waits)
	a.Seen = slices.Clone(a.Seen)
	for i := range a.Seen {
		a.Seen[i].Woken = slices.Clone(a.Seen[i].Woken)
	}
	return a
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

// Empty reports whether nothing is left that is worth keeping.
func (a Account) Empty() bool {
	return len(a.Sessions) == 0 && len(a.Endpoints) == 0 && len(a.Pending) == 0 && len(a.Devices) == 0 && a.Filter == nil
}

// Changes says which pending wakes a decision wrote and which it took away.
func Changes(before, after Account) (put map[WakeKey]Wake, drop []WakeKey) {
	put = make(map[WakeKey]Wake)
	for k, w := range after.Pending {
		if old, ok := before.Pending[k]; !ok || old != w {
			put[k] = w
		}
	}
	for k := range before.Pending {
		if _, ok := after.Pending[k]; !ok {
			drop = append(drop, k)
		}
	}
	return put, drop
}
