package business

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rouse/session"
)

// world is a server of two nodes with two devices, a worker and a provider, all simulated. It
// keeps its own books on who had to be woken, and knows nothing of the rules.
type world struct {
	t       *rapid.T
	a       session.Account
	now     time.Time
	step    int
	n       map[string]uint64 // by node
	node    map[string]string // by session: which node has it
	sid     int
	history []session.Event
	stanzas int
	devices []*device
	flying  map[session.WakeKey]flight
	late    []flight
	crashed map[uint64]bool // wakes that were in flight as a worker died: the only ones that may double
}

var nodes = []string{"ejabberd@b", "ejabberd@a"}

type device struct {
	name       string
	sid        string // "": no session
	state      session.State
	out, acked uint64
	sent       map[uint64]int // outbound count -> stanza, while not acknowledged
	owed       map[int]int    // stanza -> step at which it first had to wake this device in this sleep
	woken      []accepted     // in this sleep
}

type accepted struct{ claimed, step int }

type flight struct {
	key     session.WakeKey
	wake    session.Wake
	claimed int
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, a: session.Account{}.Clone(), now: time.Unix(1_700_000_000, 0), n: map[string]uint64{}, node: map[string]string{},
		flying: map[session.WakeKey]flight{}, crashed: map[uint64]bool{}}
	for _, name := range []string{"phone", "tablet"} {
		d := &device{name: name, sent: map[uint64]int{}, owed: map[int]int{}}
		w.devices = append(w.devices, d)
		w.login(d)
	}
	return w
}

// report is an event on its way in; sometimes it, or an older one, arrives again.
func (w *world) report(e session.Event) {
	w.step++
	e.Node = w.node[e.Session]
	if e.Session == "" {
		e.Node = rapid.SampledFrom(nodes).Draw(w.t, "on node")
	}
	w.n[e.Node]++
	e.N, e.Epoch = w.n[e.Node], 9
	if e.Node == nodes[1] {
		e.Epoch = 1 // it has started long before the other
	}
	e.Told = session.Mark{Node: e.Node, Epoch: e.Epoch, Seq: e.N}
	w.history = append(w.history, e)
	w.a, _ = Decide(w.a, e, wokenOnce(), w.now)
	if rapid.IntRange(0, 3).Draw(w.t, "a worker is quick") == 0 {
		w.claim()
		for k := range w.flying {
			w.settle(k, 0)
		}
		w.now = w.now.Add(7 * time.Second)
	}
	if rapid.IntRange(0, 9).Draw(w.t, "repeat") == 0 {
		from := rapid.IntRange(max(0, len(w.history)-8), len(w.history)-1).Draw(w.t, "repeat from")
		for _, old := range w.history[from:] {
			var reasons []session.Reason
			if w.a, reasons = Decide(w.a, old, wokenOnce(), w.now); len(reasons) > 0 {
				w.t.Fatalf("a repeat was decided again: %+v: %+v", old, reasons)
			}
		}
	}
}

func (w *world) login(d *device) {
	w.sid++
	d.sid, d.state, d.out, d.acked = fmt.Sprintf("%s-%d", d.name, w.sid), session.Active, 0, 0
	w.node[d.sid] = rapid.SampledFrom(nodes).Draw(w.t, "logs in on node")
	w.report(session.Event{Kind: session.Bind, Session: d.sid, Resource: d.name})
	w.report(session.Event{Kind: session.Enable, Session: d.sid, Resource: d.name, Address: addr(d.name)})
	w.back(d)
}

// back: the device is there; its books are closed.
func (w *world) back(d *device) {
	clear(d.owed)
	d.woken = nil
}

func (w *world) owe(d *device, stanza int) {
	if _, ok := d.owed[stanza]; !ok {
		d.owed[stanza] = w.step
	}
}

// message is one chat message to the bare JID.
func (w *world) message() {
	w.stanzas++
	id, key := w.stanzas, fmt.Sprintf("s:%d", w.stanzas)
	w.step++
	online := false
	for _, d := range w.devices {
		online = online || d.sid != ""
		if d.sid == "" || d.state == session.Delayed {
			w.owe(d, id)
		}
	}
	w.report(session.Event{Kind: session.Archive, Class: session.Message, Key: key})
	if !online {
		w.report(session.Event{Kind: session.Offline, Class: session.Message, Key: key})
	}
	for _, d := range w.devices {
		if d.sid == "" {
			continue
		}
		d.out++
		d.sent[d.out] = id
		switch d.state {
		case session.Hibernated:
			w.owe(d, id)
			w.report(session.Event{Kind: session.Queue, Session: d.sid, Class: session.Message, Key: key, Out: d.out})
		case session.Delayed:
			w.report(session.Event{Kind: session.Late, Session: d.sid, Class: session.Message, Key: key, Out: d.out})
		}
	}
}

func (w *world) ack(d *device, h uint64) {
	for n := d.acked + 1; n <= h; n++ {
		delete(d.sent, n)
	}
	d.acked = max(d.acked, h)
}

// asleep reports the session's unread stanzas as it falls asleep.
func (w *world) asleep(d *device, kind session.Kind, s session.State) {
	d.state = s
	w.step++
	for _, id := range d.sent {
		w.owe(d, id)
	}
	e := session.Event{Kind: kind, Session: d.sid, Out: d.out, Acked: d.acked}
	if len(d.sent) > 0 {
		e.Unread = []session.Unread{{Class: session.Message, Last: d.out, Count: len(d.sent)}}
	}
	w.report(e)
}

func (w *world) draw(d *device) uint64 {
	return rapid.Uint64Range(d.acked, d.out).Draw(w.t, "h")
}

func (w *world) actions() map[string]func(*rapid.T) {
	pick := func() *device { return w.devices[rapid.IntRange(0, 1).Draw(w.t, "device")] }
	when := func(d *device, ok bool, f func()) {
		if d.sid != "" && ok {
			f()
		}
	}
	return map[string]func(*rapid.T){
		"message": func(*rapid.T) { w.message() },
		"ack": func(*rapid.T) {
			d := pick()
			when(d, d.state == session.Active, func() { w.ack(d, w.draw(d)) })
		},
		"delay": func(*rapid.T) {
			d := pick()
			when(d, d.state == session.Active && len(d.sent) > 0, func() { w.asleep(d, session.Delay, session.Delayed) })
		},
		"heard": func(*rapid.T) {
			d := pick()
			when(d, d.state == session.Delayed, func() {
				d.state = session.Active
				w.ack(d, w.draw(d))
				w.report(session.Event{Kind: session.Heard, Session: d.sid, Acked: d.acked})
				w.back(d)
			})
		},
		"cut": func(*rapid.T) {
			d := pick()
			when(d, d.state != session.Hibernated, func() { w.asleep(d, session.Hibernate, session.Hibernated) })
		},
		"resume": func(*rapid.T) {
			d := pick()
			when(d, d.state == session.Hibernated, func() {
				d.state = session.Active
				w.ack(d, w.draw(d))
				w.report(session.Event{Kind: session.Resume, Session: d.sid, Acked: d.acked, Out: d.out})
				w.back(d)
			})
		},
		"end": func(*rapid.T) {
			d := pick()
			when(d, true, func() {
				w.report(session.Event{Kind: session.End, Session: d.sid})
				d.sid = ""
				clear(d.sent)
			})
		},
		"login": func(*rapid.T) {
			if d := pick(); d.sid == "" {
				w.login(d)
			}
		},
		"time":  func(*rapid.T) { w.now = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(w.t, "s")) * time.Second) },
		"claim": func(*rapid.T) { w.claim() },
		"settle": func(*rapid.T) {
			for k := range w.flying {
				w.settle(k, rapid.IntRange(0, 4).Draw(w.t, "fate"))
				return
			}
		},
		"late": func(*rapid.T) { w.hear() },
	}
}

func (w *world) claim() {
	w.step++
	w.a = w.a.Clone()
	for k, wake := range w.a.Pending {
		if wake.Due.After(w.now) {
			continue
		}
		wake.Lease, wake.Sent = w.now.Add(time.Minute), wake.Count
		wake.Due = wake.Lease
		w.a.Pending[k] = wake
		w.flying[k] = flight{key: k, wake: wake, claimed: w.step}
	}
}

// settle lets the provider answer one try: 0 and 1 take it, 2 refuses for now, 3
// the worker dies after the provider took it, 4 it is taken for dead, and others
// may have the wake before it says so.
func (w *world) settle(k session.WakeKey, fate int) {
	f := w.flying[k]
	delete(w.flying, k)
	w.step++
	s := session.Settlement{At: w.now, Verdict: session.Again, Due: w.now.Add(10 * time.Second)}
	if fate != 2 {
		s.Verdict = session.Sent
		w.accept(k, f)
	}
	if fate == 3 {
		w.crashed[f.wake.Serial] = true // its lease will run out, and another worker takes it
		return
	}
	if fate == 4 {
		w.crashed[f.wake.Serial] = true
		w.late = append(w.late, f)
		if wake, ok := w.a.Pending[k]; ok && wake.Lease.Equal(f.wake.Lease) {
			w.a = w.a.Clone()
			wake.Due, wake.Lease, wake.Sent = wake.Since, time.Time{}, 0
			w.a.Pending[k] = wake
		}
		return
	}
	w.a, _ = Settle(w.a, k, f.wake, s, wokenOnce())
}

// hear lets the oldest of those speak who were taken for dead.
func (w *world) hear() {
	if len(w.late) == 0 {
		return
	}
	f := w.late[0]
	w.late = w.late[1:]
	w.step++
	last := w.a.Serial
	w.a, _ = Settle(w.a, f.key, f.wake, session.Settlement{At: w.now, Verdict: session.Sent}, wokenOnce())
	if w.a.Serial > last {
		w.crashed[w.a.Serial] = true // the rest: somebody else may have sent for that too, and be late as well
	}
}

// accept is the provider's book: a second wake in one sleep needs a stanza that
// came after the first was taken, or a worker that died between.
func (w *world) accept(k session.WakeKey, f flight) {
	var d *device
	for _, x := range w.devices {
		if x.name == k.Node {
			d = x
		}
	}
	if current, ok := w.a.Pending[k]; !ok || current.Serial != f.wake.Serial {
		return // withdrawn too late: it belongs to a sleep that is over
	}
	if n := len(d.woken); n > 0 && !w.crashed[f.wake.Serial] {
		fresh := false
		for _, at := range d.owed {
			fresh = fresh || at > d.woken[n-1].claimed
		}
		if !fresh {
			w.t.Fatalf("%s was woken twice for the same stanzas: %+v", d.name, d.owed)
		}
	}
	d.woken = append(d.woken, accepted{claimed: f.claimed, step: w.step})
}

// drain lets everything that is owed go out.
func (w *world) drain() {
	for range 20 {
		w.now = w.now.Add(2 * time.Minute)
		w.hear()
		w.claim()
		for k := range w.flying {
			w.settle(k, 0)
		}
	}
	if len(w.a.Pending) > 0 {
		w.t.Fatalf("still owed after all went well: %+v", w.a.Pending)
	}
}

func (w *world) nothingLost() {
	for _, d := range w.devices {
		for stanza, at := range d.owed {
			last := -1
			if n := len(d.woken); n > 0 {
				last = d.woken[n-1].step
			}
			if last < at {
				w.t.Fatalf("lost: stanza %d had to wake %s at step %d, the last accepted wake was at step %d", stanza, d.name, at, last)
			}
		}
	}
}

func TestNoHistoryLosesOrDoublesAWake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions())
		w.drain()
		w.nothingLost()
	})
}
