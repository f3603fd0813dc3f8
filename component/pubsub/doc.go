// Package pubsub takes the publishes of XEP-0357 §7: a server, any server, says
// that a device should be woken. It reads what Prosody, ejabberd, Tigase,
// Openfire and MongooseIM send, each of which leaves out something else, and
// keeps neither body nor sender.
//
// Not covered: pubsub (XEP-0060) beyond publish; anything else is answered
// feature-not-implemented.
package pubsub

// Namespaces.
const (
	NS        = "http://jabber.org/protocol/pubsub"
	NSPush    = "urn:xmpp:push:0"
	nsForm    = "jabber:x:data"
	nsSummary = "urn:xmpp:push:summary"
	nsOptions = "http://jabber.org/protocol/pubsub#publish-options"
)
