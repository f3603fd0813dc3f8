// Package prosody carries mod_rouse, the module that reports the events of a
// Prosody server to rouse (docs/events.md), so that a program which starts a
// Prosody of its own has it at hand.
package prosody
