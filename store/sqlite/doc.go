// Package sqlite keeps the store in one file of SQLite: what rouse uses on one
// machine. Besides the file lie its write-ahead log (-wal), its index (-shm) and
// a lock file (-lock) that keeps a second rouse away; the log belongs to the
// data, so a copy of a running store is made with `sqlite3 FILE .backup COPY`.
//
// # Who writes
//
// One goroutine writes. It runs the decisions that gathered while the last
// commit was on its way to the disk, each in a savepoint of its own, commits
// them with one sync (WAL, synchronous=FULL) and answers all of them only then.
// Readers have connections of their own, and see a decision once it is answered.
//
// # What is in the file
//
// application_id is "rous", user_version the format (see Format). Times are
// nanoseconds since 1970, 0 stands for no time. Classes and states are names.
//
//	owner         key, host, version, one count per session state, endpoints;
//	              record: number of the newest reason; state: session.Account as JSON
//	wake          pending wakes by owner, service, node and class; index by class and due
//	reason        owner, n (1 is the owner's first), at, reason: session.Reason as JSON
//	registration  by node; without token and device: a tombstone
//	reporter      by host
//	meta          what Keep holds
//	counter       one row: the newest version given, and sums over all owners
//
// The reasons of a user, as people may ask for them:
//
//	sqlite3 -readonly rouse.db "SELECT datetime(at/1000000000,'unixepoch'), reason->>'why' FROM reason WHERE owner='juliet@example.org' ORDER BY n"
package sqlite
