// Package snapshot keeps what was last observed of a directory, what followed from it,
// and how far the observation has come, in one SQLite file. All of a step is written
// together: a difference that was seen is an event that is kept, whatever dies when.
//
// Three tables: entry has a row for each entry that is of interest, event what has
// happened until somebody has dealt with it, told the keys of events that must not
// come twice. Nothing secret is in it, but what a directory shows of people is: the
// file has mode 0600.
package snapshot
