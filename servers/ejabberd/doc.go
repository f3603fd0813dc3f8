// Package ejabberd carries mod_rouse, the module that reports the events of an
// ejabberd server to rouse (docs/events.md), so that a program which starts an
// ejabberd of its own has it at hand.
package ejabberd
