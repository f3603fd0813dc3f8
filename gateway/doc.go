// Package gateway is where rules meet state, and the only place. What arrives
// (session events, publishes, registrations, the outcome of wakes) goes into the
// mailbox of the owner it is about; the owner's goroutine loads it, lets package
// business decide, and commits. Whoever brought the event learns of it only when
// it is durable.
//
// Goroutines: one per owner that has mail, ended when the mailbox is empty, all
// waited for by Close; one that asks servers for their picture (Run). Everything
// is bounded: a full mailbox is answered with ErrBusy.
//
// It covers the receiving side of docs/events.md and of XEP-0357 §7.
package gateway
