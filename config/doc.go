// Package config is the file rouse.toml: its types, defaults, checks and
// reference. The format is TOML 1.0; what each setting means stands in one table
// (reference.go), from which docs/config.md and the commented sample are made.
//
// Every mistake is reported, not only the first, each with its place in the file
// as line and column (counted in characters, from 1), its cause and, where there
// is one, its remedy. Keys that are not known are mistakes.
package config
