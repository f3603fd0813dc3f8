// Package relay wakes devices whose push service is a third party's: the
// account's server publishes to it (XEP-0357 §7), at our request, since push
// services take publishes from servers only. The request is taken at once and
// the answer comes later, as an event (docs/events.md, Publish).
package relay
