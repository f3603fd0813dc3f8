// Package transfer copies one store into another, whatever keeps them, and counts
// what is in one. It is for stores that nobody works on: see Alone.
//
// A copy may be broken off at any moment, by kill -9 as well, and goes on when it
// is begun again: while it is unfinished the target remembers what it is a copy of
// (see Marker), and items are whole or absent. What is there already and equal is
// not written again. At the end everything is read again, from both.
package transfer
