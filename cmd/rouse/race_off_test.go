//go:build !race

package main

// raceMemory is how many times as much memory a process may take.
const raceMemory = 1
