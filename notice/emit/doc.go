// Package emit takes notices that others have: as CloudEvents 1.0 over HTTP, one
// (structured or binary content mode, HTTP protocol binding §3.1, §3.2) or several
// (batched, §3.3). What was taken is written down before it is answered.
//
// The type of an event becomes the kind of the notice, its source and id together are
// what it is known by: the same event again is no other notice. Its data has what is
// told: text, and what else Data has.
package emit
