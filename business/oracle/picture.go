package oracle

// row: the server shows a session as it is now.
func (a *Account) row(e Event) {
	s := a.sessions[e.Session]
	known := s != nil
	asleep := known && (s.state == Delayed || s.state == Hibernated)
	if !known || s.epoch != e.Epoch && e.Out < s.out { // unknown, or another one with its name
		s = &session{}
		a.sessions[e.Session] = s
	}
	s.resource, s.client, s.state = e.Resource, e.Client, e.State
	s.epoch, s.n, s.node, s.batch = e.Epoch, e.N, e.Node, e.Batch
	s.out, s.acked = e.Out, max(s.acked, e.Acked)
	switch {
	case e.State == Delayed:
		a.unread("a1", e, s)
	case e.State == Hibernated:
		a.unread("a2", e, s)
	case !known || asleep:
		a.back("", e, s)
	}
}

// stored: the server shows a registration that it has.
func (a *Account) stored(e Event) {
	d := a.devices[e.Device]
	known := d != nil
	if !known {
		d = &device{}
		a.devices[e.Device] = d
	}
	d.resource, d.client, d.node, d.batch = e.Resource, e.Client, e.Node, e.Batch
	if !known || e.Reason != "" {
		d.dead = e.Reason
	}
	if e.Session != "" {
		d.owner = e.Session
		return
	}
	if a.sessions[d.owner] == nil {
		d.owner = ""
		for sid, s := range a.sessions {
			if same(d, s) && sid > d.owner {
				d.owner = sid
			}
		}
	}
}

// ours reports whether a node knows better of what another told; what was told by
// none comes from before the server had nodes.
func ours(told, node string) bool { return told == node || told == "" || node == "" }

// Shown: the picture that a node began in a batch is complete.
func (a *Account) Shown(node string, began int, now int64) []Decision {
	a.begin(now)
	a.close(func(s *session) bool { return ours(s.node, node) && s.batch < began })
	for _, name := range a.names(func(d *device) bool { return ours(d.node, node) && d.batch < began }) {
		a.withdraw("", name)
		delete(a.devices, name)
	}
	a.release()
	return a.said()
}

// Left: a node is gone. Another one says so, in a batch of its own.
func (a *Account) Left(node, by string, batch int, now int64) []Decision {
	a.begin(now)
	a.close(func(s *session) bool { return s.node == node })
	for _, name := range a.names(func(d *device) bool { return d.node == node }) {
		a.devices[name].node, a.devices[name].batch = by, batch
	}
	a.release()
	return a.said()
}

// close ends sessions that nobody will resume.
func (a *Account) close(gone func(*session) bool) {
	for sid, s := range a.sessions {
		if !gone(s) {
			continue
		}
		delete(a.sessions, sid)
		a.gone = append(a.gone, reported{sid, s.epoch, s.n, a.now})
		for _, name := range a.ownedBy(sid) {
			a.devices[name].owner = ""
		}
	}
}
