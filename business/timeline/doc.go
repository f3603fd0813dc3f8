// Package timeline makes of a record, which is one line for each device and
// decision, what a person can read: each event once, with what it meant for every
// device, and under each wake what became of it. It knows no I/O and no clock.
package timeline
