package oracle_test

import (
	"time"

	"pgregory.net/rapid"

	"rouse/business"
	"rouse/session"
)

// actions are what may happen next.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"1 session": func(t *rapid.T) {
			c := w.client()
			w.tell(w.ofSession(c), c.node)
			c.epoch, c.n = c.node.epoch, c.node.n
		},
		"2 session": func(t *rapid.T) {
			c := w.client()
			w.tell(w.ofSession(c), c.node)
			c.epoch, c.n = c.node.epoch, c.node.n
		},
		"3 account": func(t *rapid.T) { w.tell(w.ofAccount(), rapid.SampledFrom(w.nodes).Draw(t, "node")) },
		"4 stanza":  func(t *rapid.T) { w.stanza() },
		"5 time":    func(t *rapid.T) { w.pass(w.while()) },
		"6 rare":    func(t *rapid.T) { w.rare() },
	}
}

func (w *world) client() *client { return rapid.SampledFrom(w.clients).Draw(w.t, "client") }

// while is how long nothing happens: often just as long as something counts.
func (w *world) while() time.Duration {
	if rapid.Bool().Draw(w.t, "just") {
		return rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 45 * time.Second, time.Minute, 2 * time.Minute}).Draw(w.t, "so long")
	}
	return time.Duration(rapid.IntRange(1, 90_000).Draw(w.t, "ms")) * time.Millisecond
}

func (w *world) device() session.Address {
	return session.Address{Service: service, Node: rapid.SampledFrom(devices).Draw(w.t, "device")}
}

func (w *world) class() session.Class {
	return rapid.SampledFrom([]session.Class{session.Message, session.Group, session.Call, session.Mention, session.Invitation, session.Subscription, session.Silent, session.Nothing}).Draw(w.t, "class")
}

func (w *world) key() string {
	return rapid.SampledFrom([]string{"", "s:1", "i:2", "s:3", "i:4"}).Draw(w.t, "key")
}

// chat is one of few; calls have names of the same kind.
func (w *world) chat() string {
	return rapid.SampledFrom([]string{"", "romeo", "nurse"}).Draw(w.t, "chat")
}

func (w *world) published() []session.Address {
	if rapid.IntRange(0, 9).Draw(w.t, "published") < 9 {
		return nil
	}
	return []session.Address{w.device()}
}

func (w *world) state() session.State {
	return rapid.SampledFrom([]session.State{session.Active, session.Inactive}).Draw(w.t, "state")
}

// reason is why a device cannot be used, mostly none.
func (w *world) reason() string {
	if rapid.IntRange(0, 9).Draw(w.t, "unusable") < 9 {
		return ""
	}
	return "unusable"
}

func (w *world) unread(c *client) []session.Unread {
	var list []session.Unread
	for _, class := range []session.Class{session.Message, session.Group, session.Call, session.Silent} {
		if c.acked >= c.out || rapid.IntRange(0, 2).Draw(w.t, "unread "+class.String()) > 0 {
			continue
		}
		list = append(list, session.Unread{Class: class, Last: rapid.Uint64Range(c.acked+1, c.out).Draw(w.t, "last"),
			Count: rapid.IntRange(1, 2).Draw(w.t, "count"), Key: w.key(), Chat: w.chat(), Stranger: w.stranger()})
	}
	return list
}

func (w *world) ack(c *client) uint64 {
	c.acked = rapid.Uint64Range(c.acked, c.out).Draw(w.t, "acked")
	return c.acked
}

// ofSession is something that may be told of a client's session.
func (w *world) ofSession(c *client) session.Event {
	kinds := []session.Kind{session.Bind, session.Enable, session.Hibernate, session.Queue, session.Delay, session.Late, session.Resume, session.Heard,
		session.End, session.Offline, session.CSI, session.Read, session.Taken, session.Published, session.PictureRow, session.StoredRow}
	e := session.Event{Kind: rapid.SampledFrom(kinds).Draw(w.t, "event"), Session: c.sid, Resource: c.resource, Client: c.id}
	switch e.Kind {
	case session.Bind:
		c.out, c.acked = 0, 0
	case session.Enable, session.StoredRow:
		if e.Address, e.Reason = w.device(), w.reason(); e.Kind == session.Enable && rapid.IntRange(0, 3).Draw(w.t, "with a filter") == 3 {
			e.Filter = w.filter()
		}
	case session.Hibernate, session.Delay:
		e.Out, e.Acked = c.out, w.ack(c)
		e.Unread = w.unread(c)
	case session.Queue, session.Late:
		c.out++
		e.Out, e.Class, e.Key, e.Published, e.Chat, e.Stranger = c.out, w.class(), w.key(), w.published(), w.chat(), w.stranger()
		e.Count = rapid.IntRange(0, 2).Draw(w.t, "count")
	case session.Resume, session.Heard:
		e.Out, e.Acked, e.State = c.out, w.ack(c), w.state()
	case session.Offline:
		e.Class, e.Key, e.Out, e.Chat, e.Stranger = w.class(), w.key(), rapid.Uint64Range(0, c.out).Draw(w.t, "out"), w.chat(), w.stranger()
	case session.CSI:
		e.State = w.state()
	case session.Read:
		e.Chat, e.Key = w.chat(), w.key()
	case session.Taken:
		e.Chat = w.chat()
	case session.Published:
		e.Address, e.Class, e.Key, e.Out = w.device(), w.class(), w.key(), rapid.Uint64Range(0, c.out).Draw(w.t, "out")
	case session.PictureRow:
		e = w.row(e, c)
	}
	return e
}

// row shows a session as it is; its number is that of the last event that it had.
func (w *world) row(e session.Event, c *client) session.Event {
	e.State = rapid.SampledFrom([]session.State{session.Hibernated, session.Active, session.Delayed, session.Inactive}).Draw(w.t, "state")
	e.Out, e.Acked = c.out, w.ack(c)
	if e.State == session.Hibernated || e.State == session.Delayed {
		e.Unread = w.unread(c)
	}
	if c.epoch != c.node.epoch || c.n == 0 {
		return e
	}
	w.batch++
	e.Node, e.Epoch, e.N = c.node.name, c.epoch, c.n
	e.Told = session.Mark{Node: e.Node, Epoch: e.Epoch, Seq: uint64(w.batch)}
	return e
}

// ofAccount is something that may be told of the account.
func (w *world) ofAccount() session.Event {
	kinds := []session.Kind{session.Archive, session.Offline, session.Propose, session.Room, session.Subscribe, session.Retracted, session.Disable, session.Published,
		session.StoredRow, session.Enable}
	e := session.Event{Kind: rapid.SampledFrom(kinds).Draw(w.t, "event"), Key: w.key()}
	switch e.Kind {
	case session.Archive, session.Offline, session.Room, session.Subscribe:
		e.Class, e.Published, e.Chat, e.Stranger = w.class(), w.published(), w.chat(), w.stranger()
		e.Count = rapid.IntRange(0, 2).Draw(w.t, "count")
	case session.Propose:
		for _, c := range w.clients {
			if rapid.Bool().Draw(w.t, c.sid+" was heard") {
				e.Heard = append(e.Heard, c.sid)
			}
		}
		e.Published, e.Chat, e.Stranger = w.published(), w.chat(), w.stranger()
	case session.Retracted:
		e.Chat = w.chat()
	case session.Published:
		e.Address, e.Class = w.device(), w.class()
	case session.Disable:
		e.Address = w.device()
	case session.StoredRow, session.Enable:
		e.Address, e.Resource = w.device(), rapid.SampledFrom([]string{"desk", "phone", ""}).Draw(w.t, "resource")
	}
	return e
}

// stanza is one that a server tells of as it goes through the account and its sessions.
func (w *world) stanza() {
	n := rapid.SampledFrom(w.nodes).Draw(w.t, "node")
	e := session.Event{Kind: session.Archive, Class: w.class(), Key: w.key(), Chat: w.chat(), Stranger: w.stranger()}
	if e.Class == session.Call {
		e.Kind = session.Propose
	}
	w.tell(e, n)
	for _, c := range w.clients {
		s, ok := w.ours.Sessions[c.sid]
		if !ok {
			continue
		}
		c.out++
		q := session.Event{Session: c.sid, Resource: c.resource, Client: c.id, Class: e.Class, Key: e.Key, Chat: e.Chat, Stranger: e.Stranger, Out: c.out}
		switch s.State {
		case session.Delayed:
			q.Kind = session.Late
		case session.Hibernated:
			q.Kind = session.Queue
		default:
			continue
		}
		w.tell(q, c.node)
		c.epoch, c.n = c.node.epoch, c.node.n
	}
}

// rare is what happens now and then.
func (w *world) rare() {
	kinds := []string{"filter", "repeat", "late", "restart", "rouse", "publish", "gone", "renew", "picture", "dead worker", "dead worker speaks", "left", "deleted"}
	switch rapid.SampledFrom(kinds).Draw(w.t, "rare") {
	case "filter":
		e := session.Event{Kind: session.Choose}
		if rapid.Bool().Draw(w.t, "of one device") {
			e.Address = w.device()
		}
		if rapid.IntRange(0, 3).Draw(w.t, "none") > 0 {
			e.Filter = w.filter()
		}
		w.happen(e, false)
	case "repeat":
		if n := len(w.told); n > 0 {
			for _, e := range w.told[max(0, n-rapid.IntRange(1, 8).Draw(w.t, "so many")):] {
				w.happen(e, true)
			}
		}
	case "late":
		if len(w.held) > 0 {
			e := w.held[0]
			w.held = w.held[1:]
			w.told = append(w.told, e)
			w.happen(e, false)
		}
	case "restart":
		n := rapid.SampledFrom(w.nodes).Draw(w.t, "node")
		n.epoch, n.n = n.epoch+1, 0
		w.say("# the server's module begins anew")
	case "rouse":
		w.forget()
	case "publish":
		w.happen(session.Event{Kind: session.Publish, Address: w.device(), Class: w.class(), Key: w.key()}, false)
	case "gone":
		w.happen(session.Event{Kind: session.Gone, Address: w.device(), Reason: "uninstalled"}, false)
	case "renew":
		w.happen(session.Event{Kind: session.Renew, Address: w.device()}, false)
	case "picture":
		w.picture()
	case "dead worker": // its lease runs out, or somebody takes its wakes back
		if len(w.flying) > 0 {
			f := w.flying[0]
			w.flying = w.flying[1:]
			w.dead = append(w.dead, f)
			w.say("# the worker that has the wake of %s dies", f.key.Node)
			if o, ok := w.ours.Pending[f.key]; ok && o.Serial == f.ours.Serial && rapid.Bool().Draw(w.t, "taken back") {
				w.ours = w.ours.Clone()
				o.Due, o.Lease, o.Sent = o.Since, time.Time{}, 0
				w.ours.Pending[f.key] = o
				w.theirs.Release(f.theirs.Number)
				w.send()
			}
		}
	case "dead worker speaks":
		if len(w.dead) > 0 {
			f := w.dead[0]
			w.dead = w.dead[1:]
			w.say("# a worker that was taken for dead says of %s: %s", f.key.Node, f.verdict)
			w.answer(f)
			w.send()
		}
	case "left":
		if len(w.nodes) == 2 {
			w.batch++
			var reasons []session.Reason
			w.ours, reasons = business.Leave(w.ours, "a", session.Mark{Node: "b", Epoch: w.nodes[1].epoch, Seq: uint64(w.batch)}, w.policy, w.now)
			w.say("# node a is gone")
			w.compare(reasons, w.theirs.Left("a", "b", w.batch, w.millis()))
		}
	case "deleted":
		w.tell(session.Event{Kind: session.Delete}, w.nodes[0])
		w.told, w.held = nil, nil // the counters are gone too: repeats are new until the next picture
		w.pass(2 * time.Second)   // wakes are numbered anew by the clock's seconds
	}
}

// picture shows some of what is there, and ends what it does not show.
func (w *world) picture() {
	n := rapid.SampledFrom(w.nodes).Draw(w.t, "node")
	w.batch++
	began := session.Mark{Node: n.name, Epoch: n.epoch, Seq: uint64(w.batch)}
	w.say("# a picture begins")
	for _, name := range devices {
		if rapid.IntRange(0, 3).Draw(w.t, name+" is shown") > 0 {
			e := session.Event{Kind: session.StoredRow, Address: session.Address{Service: service, Node: name}, Resource: name}
			w.tell(w.stamp(e, n), n)
		}
	}
	for _, c := range w.clients {
		if c.node == n && rapid.IntRange(0, 3).Draw(w.t, c.sid+" is shown") > 0 {
			w.tell(w.row(session.Event{Kind: session.PictureRow, Session: c.sid, Resource: c.resource, Client: c.id}, c), n)
		}
	}
	var reasons []session.Reason
	w.ours, reasons = business.Sweep(w.ours, began, w.policy, w.now)
	w.say("# the picture is complete")
	w.compare(reasons, w.theirs.Shown(n.name, int(began.Seq), w.millis()))
}
