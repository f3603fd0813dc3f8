package store

import (
	"context"
	"errors"
	"hash/fnv"
	"iter"
	"strings"
	"time"

	"rouse/session"
)

// Errors that callers act on. Anything else means: the store cannot be used now.
var (
	// ErrConflict: the owner changed since it was loaded. Load again, decide again.
	ErrConflict = errors.New("store: the owner was changed meanwhile")
	// ErrNotFound: there is no such registration, and there never was.
	ErrNotFound = errors.New("store: not found")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("store: closed")
	// ErrNewer: the store was written by a newer rouse and is left untouched.
	ErrNewer = errors.New("store: written by a newer version of rouse")
)

// Shards is how many shards owners are spread over. It never changes.
const Shards = 1024

// Shard gives the shard of an owner key or of a node, 0 to Shards-1. It never changes.
func Shard(key string) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % Shards)
}

// NodeKey is the owner key of a registration.
func NodeKey(node string) string { return "node:" + node }

// RollKey is the owner key of the list of what an account registered that is none
// of ours. The name does not give the account away.
func RollKey(name string) string { return "roll:" + name }

// Host is the host that an owner belongs to: the domain of an account, and
// nothing for a registration and a list.
func Host(key string) string {
	if strings.HasPrefix(key, "node:") || strings.HasPrefix(key, "roll:") { // no JID has a colon before its domain
		return ""
	}
	if _, host, found := strings.Cut(key, "@"); found {
		return host
	}
	return key
}

// Owner is an account as loaded. Version 0: not stored yet.
type Owner struct {
	Key     string
	Version uint64
	Account session.Account // with Pending filled
}

// Commit is one decision, or several about the same owner.
type Commit struct {
	Key     string
	Version uint64          // of the owner that was decided on
	Account session.Account // its new state; Pending is not looked at, Put and Drop are
	Put     map[session.WakeKey]session.Wake
	Drop    []session.WakeKey
	Reasons []session.Reason
	Forget  bool // the owner goes, with wakes and reasons; the rest is not looked at
}

// Claimed is a pending wake in the hands of a worker.
type Claimed struct {
	Owner string
	Key   session.WakeKey
	Wake  session.Wake // as stored after the claim

	// Versions of the owner around the claim, which is one step for all wakes of
	// an owner: whoever knows it as of Before knows it as of After by their Wakes.
	Before, After uint64
}

// Reporter is how far a server module has come.
type Reporter struct {
	Host    string `json:"-"` // or a host and a node of its cluster (session.Reporter)
	Epoch   uint64 `json:"epoch"`
	Seq     uint64 `json:"seq"`
	Wanted  bool   `json:"wanted,omitempty"`  // a picture is needed, or under way
	Picture uint64 `json:"picture,omitempty"` // the batch in which the picture that is under way began; 0: none is
}

// Counts is for metrics and status.
type Counts struct {
	Sessions  map[session.State]int
	Endpoints int
	Pending   int
	OldestDue time.Time // zero: nothing is pending
}

// RegistrationKind is what registrations are counted by.
type RegistrationKind struct {
	App  string
	Dead bool
}

// Accounts keeps owners with their pending wakes and reasons.
type Accounts interface {
	// Load gives the owner, or one with version 0 and empty (not nil) maps.
	Load(ctx context.Context, key string) (Owner, error)

	// Commit stores a decision durably, as a whole, if the owner still has the
	// version that is named, and gives the new version; else ErrConflict. An
	// owner never gets a version a second time, not even after it was forgotten.
	// Forget gives version 0.
	//
	// Many may be in flight at once; they share disk writes, not fates: one that
	// fails leaves its neighbours alone. After any error but ErrConflict, the end
	// of ctx included, the decision may be stored or not: load and look.
	Commit(ctx context.Context, c Commit) (version uint64, err error)

	// Claim gives up to max wakes that are due at now, most urgent class first,
	// then oldest due, and moves their due time and lease to now+lease, their
	// Sent to their Count. It changes the owner's version. The lease is longer
	// than zero. What another process committed in the last second may be missed.
	Claim(ctx context.Context, now time.Time, lease time.Duration, max int) ([]Claimed, error)

	// EndLeases makes the wakes due again that a process claimed, which cannot send
	// them any more (its Process.ID, or "": whichever did), and changes the versions
	// of their owners. It may take long, and miss some: leases end by themselves.
	EndLeases(ctx context.Context, process string) error

	// NextDue gives the earliest due time; false: nothing is pending.
	NextDue(ctx context.Context) (time.Time, bool, error)

	// Reasons gives the record of an owner since a time, in the order in which it
	// was committed.
	Reasons(ctx context.Context, key string, since time.Time) ([]session.Reason, error)

	// Owners gives the keys of all accounts of a host, in no order. Owners that
	// are committed meanwhile may or may not be seen.
	Owners(ctx context.Context, host string) iter.Seq2[string, error]

	// Counts may be a few seconds old.
	Counts(ctx context.Context) (Counts, error)
}

// Registrations keeps devices by the node that was issued for them.
type Registrations interface {
	// Registration gives the registration, live or dead; ErrNotFound if there is none.
	Registration(ctx context.Context, node string) (session.Registration, error)

	// Register writes it whole.
	Register(ctx context.Context, r session.Registration) error

	// Bury marks it dead, unless it is dead or was registered again after `at`;
	// then it stays as it is. It gives the registration as it stands afterwards,
	// or ErrNotFound. The reason must not be empty.
	Bury(ctx context.Context, node, reason string, at time.Time) (session.Registration, error)

	// Unregister takes it out and leaves a tombstone for TombstoneAge, in which
	// Registration answers with Dead set, without token and without device. One
	// that is gone already stays as it is; ErrNotFound if there never was one.
	// The reason must not be empty.
	Unregister(ctx context.Context, node, reason string, at time.Time) error

	// Registrations gives all of them, tombstones too, in no order. What is
	// committed meanwhile may or may not be seen.
	Registrations(ctx context.Context) iter.Seq2[session.Registration, error]

	// CountRegistrations counts what is not a tombstone. It may be a few seconds old.
	CountRegistrations(ctx context.Context) (map[RegistrationKind]int, error)
}

// TombstoneAge is how long an unregistered node is remembered.
const TombstoneAge = 90 * 24 * time.Hour

// Reporters keeps how far each server module has come.
type Reporters interface {
	// Reporter gives a zero Reporter with Host set where none is stored.
	Reporter(ctx context.Context, host string) (Reporter, error)

	// SetReporter moves on from before to after, which are of one host; ErrConflict
	// if before is not what is stored. A zero one is not kept.
	SetReporter(ctx context.Context, before, after Reporter) error
}

// Store is all of it.
type Store interface {
	Accounts
	Registrations
	Reporters
	Processes
	Portable

	// Keep gives a value that was kept under a name, or keeps and gives the value
	// that is passed. It holds what must not change under a store, like the
	// fingerprint of the node key. An empty value is none, and keeps nothing.
	Keep(ctx context.Context, name, value string) (string, error)

	// Verify reads everything and reports the first thing that is wrong.
	Verify(ctx context.Context) error

	// Close waits for commits in flight.
	Close() error
}

// Limits that every store keeps to. Ages are counted against the times that
// callers pass: a store may do without a clock, and may be late in taking away.
const (
	MaxReasons = 200                // per owner; the oldest go
	ReasonAge  = 7 * 24 * time.Hour // and none is kept longer
)
