// Package history reads scripted histories: what happened to an account, one event
// a line, as docs/simulate.md describes. It only reads; package business/simulate
// has the rules decide.
package history
