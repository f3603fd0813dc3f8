package session

import "time"

// Kind is what happened. The names are those of the elements in docs/events.md
// and the values of the metric label kind.
type Kind string

const (
	Bind       Kind = "bind"       // a resource was bound (RFC 6120 §7)
	CSI        Kind = "csi"        // XEP-0352 state changed
	Enable     Kind = "enable"     // XEP-0357 §5, as stored
	Disable    Kind = "disable"    // XEP-0357 §6, as stored
	Delay      Kind = "delayed"    // an <r/> has been unanswered for too long (XEP-0198 §4)
	Late       Kind = "late"       // a stanza went out to a delayed session
	Heard      Kind = "heard"      // a delayed session showed signs of life
	Hibernate  Kind = "hibernated" // the connection is gone, the session waits (XEP-0198 §5)
	Queue      Kind = "queued"     // a stanza was queued for a hibernated session
	Resume     Kind = "resumed"    // XEP-0198 §5
	End        Kind = "ended"      // the session is gone for good
	Archive    Kind = "archived"   // a stanza for the user was archived (XEP-0313)
	Offline    Kind = "offline"    // a stanza was stored offline (XEP-0160)
	Room       Kind = "room"       // a room's message for a member without session
	Subscribe  Kind = "subscribe"  // a presence subscription request (RFC 6121 §3)
	Propose    Kind = "call"       // a call was proposed (XEP-0353 §3)
	Read       Kind = "read"       // a client displayed a chat or wrote into it (XEP-0333, XEP-0490)
	Taken      Kind = "taken"      // a client took a call or refused it (XEP-0353 §3)
	Retracted  Kind = "retracted"  // the caller takes a call back
	Published  Kind = "published"  // the server's own push module published while we were away
	Answered   Kind = "answered"   // a push service answered a publish that we asked the server for
	Delete     Kind = "deleted"    // the account was removed or disabled
	PictureRow Kind = "session"    // a row of the picture: a session as it is now
	StoredRow  Kind = "endpoint"   // a row of the picture: an endpoint as it is stored
	PictureOn  Kind = "begin"      // the picture begins
	PictureOff Kind = "end"        // the picture is complete
	Left       Kind = "left"       // a node of the server's cluster is gone, and its sessions with it

	// What follows does not come from a server.

	Publish Kind = "publish" // XEP-0357 §7: a server published to a node of ours
	Gone    Kind = "gone"    // the registration behind an endpoint is dead
	Renew   Kind = "renew"   // the registration behind an endpoint has a token again
	Settled Kind = "settled" // a try to send a wake ended
	Choose  Kind = "filter"  // the user set the filter of a device, or of all
	Test    Kind = "test"    // an operator had a push sent, which nobody owed
)

// Kinds lists every kind that a server module may report, in the order of docs/events.md.
func Kinds() []Kind {
	return []Kind{Bind, CSI, Enable, Disable, Delay, Late, Heard, Hibernate, Queue, Resume, End, Archive,
		Offline, Room, Subscribe, Propose, Read, Taken, Retracted, Published, Answered, Delete, PictureRow, StoredRow, PictureOn, PictureOff, Left}
}

// Event is one thing that happened to an account. Which fields carry something
// depends on the kind and is written down in docs/events.md.
type Event struct {
	Kind    Kind
	Node    string    // of the cluster, that reports it; empty: the server has no nodes. Left: that is gone
	Account string    // bare JID; empty for begin and end of the picture, and for left
	Session string    // the server's stable id of the session; empty: the event is the account's
	Epoch   uint64    // reporter's epoch; grows with every start of the reporter
	N       uint64    // counter within session (or account) and epoch; 0: not counted, never dropped
	At      time.Time // reporter's clock, for people; decisions use ours
	Told    Mark      // the batch in which it came

	Resource string
	Client   string
	State    State // csi, resumed, heard, session: where the session stands after the event

	Class    Class
	Key      string // joins reports of one stanza; empty: none
	Tag      string // of the id that its sender gave the stanza (see Tag); empty: none
	Chat     string // stands for the chat that it belongs to, or for the call; empty: it is not told
	Stranger bool   // its sender is not in the roster
	Out      uint64 // outbound count with this stanza
	Acked    uint64
	Count    int      // stanzas this event stands for; 0 means 1
	Unread   []Unread // delayed, hibernated, session: what is sent and not acknowledged
	Heard    []string // call: sessions heard from in the last 10 s

	Published []Address // the server itself published for this stanza to these
	Sealed    []Sealed  // what the server encrypted of the stanza, or of the last one unread

	Address Address
	Secret  string    // enable, endpoint: fingerprint of the publish secret
	Module  string    // enable, endpoint: which of the service's apps a device token is for (fpush)
	Since   time.Time // endpoint: when it was enabled, by the server's clock; zero: not told

	Filter *Filter // enable: what the client chose, nil if it says nothing of it; filter: what the user did, nil for nothing

	Wake      string // answered: which publish
	Error     string // answered: the condition; empty: it was taken
	ErrorType string // answered: the stanza error type
	Reason    string // ended, gone: why; enable, endpoint: why it cannot be used, empty if it can
}

// Unread says of the unacknowledged stanzas of one class how many there are and
// at which outbound count the last one went out.
type Unread struct {
	Class    Class
	Last     uint64
	Count    int
	Key      string // of the last one
	Tag      string // of the last one
	Chat     string // of all of them; empty: they are of several, or it is not told
	Stranger bool   // of all of them: their senders are not in the roster
}

// Sealed is what only the app on a device can read. It is never stored.
type Sealed struct {
	Address       Address
	Encrypted, IV string // as in Content
}

// Mark is a place in what a reporter tells: its batches are in order, whatever is
// done to clocks meanwhile. Those of two nodes of a cluster have no order.
type Mark struct {
	Node  string `json:"node,omitempty"`
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Before reports whether another mark is known to be told later.
func (m Mark) Before(o Mark) bool {
	return Comparable(m.Node, o.Node) && (m.Epoch < o.Epoch || m.Epoch == o.Epoch && m.Seq < o.Seq)
}

// Comparable reports whether epochs and counters that two nodes gave have an order.
// What was reported without a node comes from before the server told its nodes.
func Comparable(a, b string) bool { return a == b || a == "" || b == "" }

// Batch is what a server module sends at once (docs/events.md).
type Batch struct {
	Host   string
	Node   string // of the host's cluster; each has epoch and sequence of its own. Empty: the server has no nodes
	Epoch  uint64
	Seq    uint64
	Events []Event
}

// Reporter names who counts epochs and batches: a host, or a node of its cluster.
// No domain and no node has a space.
func Reporter(host, node string) string {
	if node == "" {
		return host
	}
	return host + " " + node
}
