package session

// Content is what the sender of a publish said besides that somebody is to be
// woken. It is never stored and never logged: who has it no more when the wake is
// sent sends the wake without it.
type Content struct {
	// What a server encrypted for the app (tigase:push:encrypt:0), in base64 as it
	// came. Nothing else is said beside it.
	Encrypted, IV string

	Sender   string // JID
	Nickname string // of the sender in a room
	Body     string

	Notice bool // Body is a text of ours, to be shown under the title Sender whatever the app is

	Read bool // nothing is unread any more: what the app shows is out of date
}
