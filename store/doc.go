// Package store holds the contracts between decisions and the place where they
// are kept, in the words of those who decide. Implementations are in packages
// below this one and all pass the suite in storetest. What lies in their tables
// and under their names is described there: sqlite/doc.go.
//
// # What is kept
//
// An owner is what a decision is about: an account of one of our hosts (key: its
// bare JID), a registration whose account we do not know (key: "node:" and the
// node), or the list of what such an account registered (key: "roll:" and a name). Owner, pending wakes and reasons change together or not at all,
// and only if nobody else changed the owner in between: Commit names the version
// that the decision was made from.
//
// A pending wake is a row of its own with an index ordered by due time. Claiming
// moves its due time to the end of the lease, so a worker that dies gives its
// wakes back by dying.
//
// Times are passed in UTC and come back in UTC, exact to the nanosecond; the
// zero time comes back as the zero time.
//
// # Room for many machines
//
// Nothing here needs more than one owner in one step, so each owner can live,
// with its wakes and its reasons, in one slot of a Redis Cluster (see Shard).
// Claim looks at one shard after the other.
package store
