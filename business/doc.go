// Package business holds the rules: who is woken, when, how urgently, and once
// only. It covers which events warrant a notification, which XEP-0357 §7 leaves to
// the server, by the states of XEP-0198 and XEP-0352, and the calls of XEP-0353.
//
// Everything here is a pure function from values to values: no I/O and no clock.
//
//	Decide(account, event, policy, now) -> account', reasons
//	Settle(account, wake, settlement, policy) -> account', reasons
//	Sweep(account, began, policy, now) -> account', reasons
//	Leave(account, node, told, policy, now) -> account', reasons
//
// The wakes that a decision asks for are in account'.Pending.
//
// # The rules
//
// docs/rules.md tells them to people, with reasons and examples.
//
//	a1  an <r/> is unanswered for too long, and every stanza to that session until
//	    it is heard from: the endpoints of that session
//	a2  hibernation started: the same, for what is unread in the queue
//	a3  a stanza while hibernated: the endpoints of that session
//	a4  resumed or ended: nobody; resumed settles what is owed, ended makes it offline
//	b   archived for a user: endpoints that no active, inactive or hibernated session owns
//	b'  a call: all endpoints, except of an active session heard from in the last 10 s
//	c   stored offline, or a room's message for a member without session: all endpoints
//	p   a server that knows no session of ours publishes: the endpoint
//	r   a chat is read or answered, or a call taken, by one session: nobody; what is
//	    owed to others for it is withdrawn
//
// A device that was woken and does not come back is woken again after each of
// Policy.Repeat, as one more wake that is owed while nothing else is.
//
// Where Policy.Grace is set, wakes wait that long while another session is active.
package business
