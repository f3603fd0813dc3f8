// Package session says what rouse knows of an account: its sessions, its push
// endpoints, and the wakes that are still owed to them. They are plain values
// with no I/O and no clock; the rules that change them are in package business.
//
// Words are those of the specifications: a session is one bound resource
// (RFC 6120 §7) with its stream management counters (XEP-0198 §4); an endpoint
// is one (service, node) pair that a client enabled (XEP-0357 §5); inactive is
// the state of XEP-0352.
//
// Sessions are numbers, not lists: the server's outbound XEP-0198 count says how
// far the server has sent, Covered says up to where a wake was already owed or
// given. A stanza at or below Covered needs no further wake in this sleep.
package session
