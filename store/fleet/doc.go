// Package fleet is one process among those that share a store: it says that the
// process lives, sees to the wakes of those that do not any more, and knows
// whether this is the one that may have the component link.
//
// It knows nothing of the link itself: what is done by one process at a time is
// called the duty, and handed in. On a store that has one process the same is
// done, and comes out as expected.
//
// # Who may
//
// The right is a lease (store.Processes). A member believes in it until a time of
// its own clock: the lease's length, counted from before the request was sent. So
// it never believes longer than the store does, however late the answer came; and
// a process that was stopped, or cut off from its store, knows on waking, without
// asking anybody, that it may not.
//
// # Goroutines
//
// Live has one that announces, and one for each process that is gone while its
// wakes are given back. Stand has one that renews the lease, and is itself the one
// that does the duty. Both return when all of theirs have.
package fleet
