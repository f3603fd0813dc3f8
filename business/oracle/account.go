package oracle

import "slices"

// Class is how important something is.
type Class int

// The classes.
const (
	Nothing Class = iota
	Silent
	Subscription
	Invitation
	Group
	Mention
	Message
	Call
)

// State is how the server sees a session.
type State int

// The states.
const (
	Active State = iota
	Inactive
	Delayed
	Hibernated
)

// Times are in milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute

	together = 2 * minute  // reports with one key within that time are about one stanza
	ringing  = 45 * second // so long a call rings
	ends     = 24 * hour   // so long the counters of a session that is gone are remembered
)

// Rules is what an operator may choose.
type Rules struct {
	Window  int64   // one wake for what comes within it
	Calls   int     // that ring a device in a minute; 0: any number
	Silents int     // silent wakes that a device takes in an hour; 0: any number
	Grace   int64   // a wake waits that long while another session is active
	Again   []int64 // after how long a device that did not come back is woken again; the last one for ever
	Enough  int64   // until so long after it was woken first
}

// Event is what a server tells.
type Event struct {
	Kind      string
	Session   string // "": the account's
	Node      string // of the cluster
	Epoch, N  int
	Batch     int // grows with every batch of any node
	Resource  string
	Client    string
	State     State
	Class     Class
	Key       string
	Tag       string
	Chat      string
	Stranger  bool
	Out       int
	Acked     int
	Count     int
	Unread    []Unread
	Heard     []string
	Published []string
	Device    string
	Reason    string
	Filter    *Filter // enable: nil if nothing is said of it
}

// Unread are stanzas of one class that a session has not acknowledged.
type Unread struct {
	Class    Class
	Last     int
	Count    int
	Key      string
	Tag      string
	Chat     string
	Stranger bool
}

// Decision is one thing that was decided, of a device or ("") of the account.
type Decision struct {
	Rule, Verdict string
	Class         Class
	Device        string
}

// Account is everything that the rules look at.
type Account struct {
	Rules     Rules
	sessions  map[string]*session
	devices   map[string]*device
	memories  map[string]*memory
	about     about // what is decided
	stories   []story
	over      []over
	gone      []reported
	reported  []reported // the account's own events, by node
	wakes     []*Wake    // that are owed
	last      int        // number of the last wake
	filter    *Filter
	decisions []Decision
	now       int64
}

type session struct {
	resource, client string
	state            State
	epoch, n         int
	node             string
	batch            int
	out, acked       int
	told             []told // what this sleep's wakes stand for
}

// told is a wake for everything up to an outbound count, of a class or a lower one.
type told struct {
	class Class
	upTo  int
	alone bool // of that class alone
}

type device struct {
	owner, resource, client string
	dead                    string
	node                    string
	batch                   int
	woken                   []woken // since its client was last there
	calls                   []int64
	silents                 []int64
	absent                  *absent
	filter                  *Filter
}

// absent is a device that was woken and did not come back.
type absent struct {
	since, last int64
	class       Class
	count       int
	again       int
	lost        bool
}

// memory is what a device was told of, which outlives its registration.
type memory struct {
	keys []sighting // stanzas
	rang []sighting // calls that rang it
	left []sighting // calls that were left to its session
}

type sighting struct {
	key string
	at  int64
}

type about struct {
	key, tag, chat string
	stranger       bool
}

// story is one report that a wake stands for, in a chat.
type story struct {
	device, chat, key, tag string
	class                  Class
	count                  int
	wake                   int   // Number
	lease                  int64 // of the wake when this joined it
	at                     int64 // since when; when it was sent
	sent                   bool
	read                   bool // elsewhere, as it was sent
}

// over is a call for which nobody rings any more.
type over struct {
	call  string
	taken bool
	at    int64
}

type woken struct {
	class Class
	at    int64
	wake  int
}

type reported struct {
	who      string
	epoch, n int
	at       int64
}

// Wake is one that is owed to a device.
type Wake struct {
	Number   int
	Device   string
	Class    Class
	Rule     string
	Count    int
	Since    int64
	Due      int64
	Attempts int
	Lease    int64 // a worker has it until then
	Took     int   // Count as the worker took it
	Waits    bool  // whether it is read elsewhere
	Else     int64 // when it were due if it did not
	Again    bool  // for what the device was woken for already
}

// New gives an account of which nothing is known.
func New(r Rules) *Account {
	return &Account{Rules: r, sessions: make(map[string]*session), devices: make(map[string]*device), memories: make(map[string]*memory)}
}

// Owed are the wakes that are owed, in no order.
func (a *Account) Owed() []Wake {
	var list []Wake
	for _, w := range a.wakes {
		list = append(list, *w)
	}
	return list
}

// Wakeable are the devices that are registered, with why they are dead.
func (a *Account) Wakeable() map[string]string {
	m := make(map[string]string)
	for name, d := range a.devices {
		m[name] = d.dead
	}
	return m
}

// Sessions are the sessions that are there.
func (a *Account) Sessions() map[string]State {
	m := make(map[string]State)
	for id, s := range a.sessions {
		m[id] = s.state
	}
	return m
}

func (a *Account) say(rule, verdict string, c Class, device string) {
	a.decisions = append(a.decisions, Decision{rule, verdict, c, device})
}

// begin is at the start of everything that happens; it is over with said.
func (a *Account) begin(now int64) { a.now, a.decisions = now, nil }

func (a *Account) said() []Decision { return a.decisions }

// names gives the devices that fit, in the order of their names.
func (a *Account) names(fits func(*device) bool) []string {
	var list []string
	for name, d := range a.devices {
		if fits == nil || fits(d) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func (a *Account) ownedBy(sid string) []string {
	return a.names(func(d *device) bool { return d.owner == sid })
}

// of gives what a device was told of.
func (a *Account) of(name string) *memory {
	if a.memories[name] == nil {
		a.memories[name] = &memory{}
	}
	return a.memories[name]
}
