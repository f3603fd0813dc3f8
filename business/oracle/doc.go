// Package oracle is a second, slow and obvious telling of the rules (docs/rules.md,
// package business), for tests alone. It imports nothing of rouse, remembers whole
// lists where business keeps counts and marks, and never forgets for the sake of
// space. What both decide of random histories has to be the same.
//
// What it does not tell: how many devices and sessions an account may have
// (MaxEndpoints, MaxThirds), for which business has tests of its own.
package oracle
