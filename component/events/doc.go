// Package events speaks rouse:events:0 (docs/events.md) with server modules: it
// reads their batches and sends them our requests. What the events mean is
// decided elsewhere.
package events

// NS is the namespace of the format.
const NS = "rouse:events:0"
