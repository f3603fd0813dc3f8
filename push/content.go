package push

import "rouse/session"

// Content is what a push can carry besides the wake, for the clients that parse
// it. All of it is optional and most wakes have none: whoever makes a
// Notification fills in what its sender said and the app opted in to.
type Content struct {
	Account   string // bare JID, for apps that know their accounts by it (Siskin, Snikket on iOS)
	Channel   string // p2: hex SHA-1 of the room's bare JID, NUL, device id
	CallToken string // the device's second token: calls go there, as VoIP pushes

	// What a server encrypted for the app (tigase:push:encrypt:0), in base64 as it
	// came. An app that decrypts is sent nothing of what follows beside it.
	Encrypted string
	IV        string

	Sender   string // JID
	Nickname string // of the sender in a room
	Body     string

	Notice bool // Body is shown under the title Sender, whatever the app is

	Read bool // nothing is unread any more
}

// contentOf is what a job's wake can carry.
func contentOf(j session.Job) Content {
	c := Content{Account: j.Target.Account, Channel: j.Target.Channel, CallToken: j.Target.Calls}
	if said := j.Content; said != nil {
		c.Encrypted, c.IV = said.Encrypted, said.IV
		c.Sender, c.Nickname, c.Body, c.Read, c.Notice = said.Sender, said.Nickname, said.Body, said.Read, said.Notice
	}
	return c
}
