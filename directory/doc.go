// Package directory says what happened in a directory (FreeIPA, 389-DS, OpenLDAP),
// from two observed states of an entry and from a clock: who was created, whose
// password runs out, who came into which group. It covers the entries and attributes
// that FreeIPA keeps (users, groups, hosts, services, password policies), and of other
// directories those of RFC 2798, RFC 2307 and the draft of ppolicy.
//
// Everything here is a pure function from values to values: no I/O and no clock.
//
//	Diff(layout, view, old, new, now)     -> events
//	Expiring(entry, thresholds, told, now) -> events
//
// Package directory/follow observes; a state that it saw is an Entry. Secrets are never
// among its attributes: Attributes names what is asked for, and nothing else is kept.
package directory
