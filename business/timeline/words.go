package timeline

import "rouse/session"

// Happened says in words what an event was.
func Happened(k session.Kind, c session.Class) string {
	a := stanza(c)
	switch k {
	case session.Bind:
		return "a client logged in"
	case session.CSI:
		return "the client said whether somebody looks (XEP-0352)"
	case session.Enable:
		return "push was enabled (XEP-0357 §5)"
	case session.Disable:
		return "push was disabled (XEP-0357 §6)"
	case session.Delay:
		return "the client has not acknowledged for too long (XEP-0198 §4)"
	case session.Late:
		return a + " went out to a client that is silent"
	case session.Heard:
		return "the client was heard from again"
	case session.Hibernate:
		return "the connection is gone, the session waits for its client (XEP-0198 §5)"
	case session.Queue:
		return a + " was queued for a client without connection"
	case session.Resume:
		return "the client resumed its session (XEP-0198 §5)"
	case session.End:
		return "the session ended"
	case session.Archive:
		return a + " was archived (XEP-0313)"
	case session.Offline:
		return a + " was stored offline (XEP-0160)"
	case session.Room:
		return a + " came for a member who is not there"
	case session.Subscribe:
		return "somebody asks to see the user's presence (RFC 6121 §3)"
	case session.Propose:
		return "a call came in (XEP-0353 §3)"
	case session.Read:
		return "the user read or answered a chat (XEP-0333, XEP-0490)"
	case session.Taken:
		return "the user answered a call, or refused it (XEP-0353 §3)"
	case session.Retracted:
		return "the caller took the call back (XEP-0353 §3)"
	case session.Published:
		return "the server itself published, while rouse was away"
	case session.Answered:
		return "a push service answered"
	case session.Delete:
		return "the account was removed"
	case session.PictureRow:
		return "the server told how the session is now"
	case session.StoredRow:
		return "the server told which endpoint it has stored"
	case session.PictureOff:
		return "the server told all that there is"
	case session.Left:
		return "a node of the server's cluster is gone"
	case session.Publish:
		return "a server published " + a + " (XEP-0357 §7)"
	case session.Gone:
		return "the registration of a device ended"
	case session.Renew:
		return "a device registered again"
	case session.Settled:
		return "a try to send a wake ended"
	case session.Choose:
		return "the user set what to be woken for"
	case session.Test:
		return "an operator sent a test push"
	}
	return string(k)
}

func stanza(c session.Class) string {
	switch c {
	case session.Nothing:
		return "something that wakes nobody"
	case session.Silent:
		return "something of which nobody said what it is"
	case session.Subscription:
		return "a subscription request"
	case session.Invitation:
		return "an invitation to a room"
	case session.Group:
		return "a message in a room"
	case session.Mention:
		return "a message in a room that names the user"
	}
	return "a " + c.String()
}

// Rule says in words what a rule is, with where it comes from; empty: it has no
// words. XEP-0357 §7 says that a server publishes; when, the rules make of the
// states and events that other specifications define.
func Rule(name string) string {
	switch name {
	case "a1":
		return "a silent client: the devices of its session (XEP-0357 §7; XEP-0198 §4)"
	case "a2":
		return "a lost connection: the devices of its session, for what is unread (XEP-0357 §7; XEP-0198 §5)"
	case "a3":
		return "more for a lost connection: the devices of its session (XEP-0357 §7; XEP-0198 §5)"
	case "a4":
		return "a session is back or at its end: nobody, and what was owed is settled (XEP-0357 §7; XEP-0198 §5)"
	case "b":
		return "archived: the devices that no session has (XEP-0357 §7; XEP-0313)"
	case "b'":
		return "a call: all devices but where the user is certainly reached (XEP-0357 §7; XEP-0353 §3)"
	case "c":
		return "stored offline: all devices (XEP-0357 §7; XEP-0160)"
	case "p":
		return "published by a server that tells nothing else: that device (XEP-0357 §7)"
	case "r":
		return "read or answered by the user: what is owed for it is withdrawn (XEP-0333; XEP-0490; XEP-0353 §3)"
	}
	return ""
}

// Verdict says in a word or two what was decided.
func Verdict(r session.Reason) string {
	switch r.Verdict {
	case session.Woke:
		return "woken"
	case session.Merged:
		return "merged"
	case session.Covered:
		return "covered"
	case session.Quiet:
		switch {
		case r.Class == session.Nothing:
			return "noted"
		case r.Endpoint == session.Address{}:
			return "nobody"
		}
		return "not woken"
	case session.Filtered:
		return "filtered"
	case session.Withdrew:
		return "withdrawn"
	case session.TooLate:
		return "too late"
	case session.Hurried:
		return "hurried"
	case session.Sent:
		return "sent"
	case session.Again:
		return "again"
	case session.GaveUp:
		return "given up"
	case session.Died:
		return "dead"
	case session.Back:
		return "back"
	case session.Missing:
		return "missing"
	}
	return string(r.Verdict)
}

// Outcome says in words what became of a wake.
func Outcome(r session.Reason) string {
	switch r.Verdict {
	case session.Sent:
		return "sent: " + answered(r)
	case session.Again:
		return "not sent, it is tried again: " + answered(r)
	case session.GaveUp:
		return "given up: " + answered(r)
	case session.Withdrew:
		return "withdrawn: " + r.Why
	case session.Died:
		return "the device is dead: " + answered(r)
	}
	return string(r.Verdict) + ": " + answered(r)
}

// answered is why, and how long after its decision a wake was answered.
func answered(r session.Reason) string {
	if r.After <= 0 {
		return r.Why
	}
	return r.Why + ", " + short(r.After) + " after the decision"
}
