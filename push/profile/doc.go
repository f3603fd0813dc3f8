// Package profile says what a push looks like to the clients of one family: the
// keys that they parse, the text that is shown when they do not, and what is
// given up when a provider takes no more.
//
// The formats are those of the push services that the clients were made for: p2
// (Conversations, Snikket on Android), the Tigase push component (Siskin, Snikket
// on iOS), fpush (Monal), and MongoosePush. A profile needs nothing but the wake:
// without sender, text or encrypted payload the client is woken all the same and
// fetches them from its server.
package profile
