//go:build race

package main

// raceMemory is how many times as much memory a process may take: the race detector
// keeps up to ten times what the program does (go.dev/doc/articles/race_detector).
const raceMemory = 5
