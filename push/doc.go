// Package push is the wake on its way out: what a provider is asked, what it may
// answer, the workers that ask, the schedule of what is tried again, and the
// breaker that keeps a misconfigured app from costing anybody a registration.
//
// Providers are in packages below this one (apns, fcm, relay). A provider tries
// once and says how it went; only the schedule here decides about trying again.
package push
