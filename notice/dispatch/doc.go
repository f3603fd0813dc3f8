// Package dispatch has people told of notices, each once: it has notices gathered from
// their sources, finds who is to be told where, and tries each delivery until it is
// made, or will never be. What is in one lane is told in order; lanes do not wait for
// each other, and contexts do not either.
//
// Whoever dies between telling and writing it down tells it again: chat with the same
// id, programs with the same ROUSE_ID.
package dispatch
