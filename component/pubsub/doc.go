// Package pubsub takes the publishes of XEP-0357 §7: a server, any server, says
// that a device should be woken. It reads what Prosody, ejabberd, Tigase,
// Openfire and MongooseIM send, each of which leaves out something else.
//
// Not covered: pubsub (XEP-0060) beyond publish, and beyond the motions that
// MongooseIM's clients go through first (HandleNodes); anything else is answered
// feature-not-implemented.
package pubsub

// Namespaces.
const (
	NS     = "http://jabber.org/protocol/pubsub"
	NSPush = "urn:xmpp:push:0"

	// Tigase's; Prosody has modules for the first two.
	nsEncrypt  = "tigase:push:encrypt:0"
	nsPriority = "tigase:push:priority:0"
	nsJingle   = "tigase:push:jingle:0"
	nsRoom     = "http://tigase.org/protocol/muc#offline"
)
