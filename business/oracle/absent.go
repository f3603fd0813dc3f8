package oracle

// woke: a wake is out, or given up. Its device is expected back if it is asleep.
func (a *Account) woke(w *Wake, verdict string, once bool, open int) {
	d := a.devices[w.Device]
	switch {
	case d == nil:
	case once || len(a.Rules.Again) == 0:
		d.absent = nil
		for _, o := range a.wakes {
			if o.Device == w.Device {
				o.Again = false
			}
		}
	case w.Again && d.absent.count == 0:
		d.absent = nil
	case w.Again:
		d.absent.again++
		d.absent.last = a.now
	case verdict == "sent" && w.Rule != "p" && open > 0 && !a.connected(d):
		if d.absent == nil {
			d.absent = &absent{since: a.now}
		}
		d.absent.last = a.now
		d.absent.count += open
		c := w.Class
		if c == Call {
			c = Message
		}
		d.absent.class = max(d.absent.class, c)
	}
}

// connected reports whether the session that has the device is.
func (a *Account) connected(d *device) bool {
	s := a.sessions[d.owner]
	return s != nil && s.state != Delayed && s.state != Hibernated
}

// absences is at the end of everything: who is there is not absent, and who is not
// is woken again, if nothing else is to wake it.
func (a *Account) absences() {
	for _, name := range a.names(func(d *device) bool { return d.absent != nil }) {
		d := a.devices[name]
		if a.connected(d) {
			if w := a.find(name, func(w *Wake) bool { return w.Again && w.taken(a.now) }); w != nil {
				a.drop(w)
				a.say("", "withdraw", w.Class, name)
			}
			a.makeRoom(name)
			a.returns("", name)
			continue
		}
		if d.absent.lost || a.find(name, func(*Wake) bool { return true }) != nil {
			continue
		}
		pause := a.Rules.Again[len(a.Rules.Again)-1]
		if d.absent.again < len(a.Rules.Again) {
			pause = a.Rules.Again[d.absent.again]
		}
		at := max(d.absent.last+pause, a.now)
		if at > d.absent.since+a.Rules.Enough {
			d.absent.lost = true
			a.say("", "missing", Nothing, name)
			continue
		}
		at = a.calm(d, at)
		a.last++
		a.wakes = append(a.wakes, &Wake{Number: a.last, Device: name, Class: d.absent.class, Count: max(1, d.absent.count), Since: at, Due: at, Again: true})
	}
}

// makeRoom: a wake that is to wake a device again gives way to what is new.
func (a *Account) makeRoom(name string) {
	if w := a.find(name, func(w *Wake) bool { return w.Again && !w.taken(a.now) }); w != nil {
		a.drop(w)
	}
}

// returns: the device is there.
func (a *Account) returns(rule, name string) {
	if a.devices[name].absent != nil {
		a.devices[name].absent = nil
		a.say(rule, "back", Nothing, name)
	}
}

// known: it was read elsewhere what a device was woken for.
func (a *Account) known(name string, count int) {
	d := a.devices[name]
	if d.absent == nil {
		return
	}
	d.absent.count = max(0, d.absent.count-count)
	known, most := 0, Nothing
	for _, s := range a.stories {
		if c := s.class; s.device == name && s.sent && s.chat != "" {
			if c == Call {
				c = Message
			}
			known, most = known+s.count, max(most, c)
		}
	}
	if known == d.absent.count && known > 0 {
		d.absent.class = most
	}
	if a.find(name, func(w *Wake) bool { return w.Again && w.taken(a.now) }) != nil {
		return
	}
	a.makeRoom(name) // it comes anew, for less
	if d.absent.count == 0 {
		d.absent = nil
	}
}
