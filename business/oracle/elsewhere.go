package oracle

import "slices"

// elsewhere reports whether another session than the device's own is active.
func (a *Account) elsewhere(d *device) bool {
	for sid, s := range a.sessions {
		if sid != d.owner && s.state == Active {
			return true
		}
	}
	return false
}

// release: wakes wait no longer where nobody is active elsewhere any more.
func (a *Account) release() {
	for _, name := range a.names(nil) {
		d := a.devices[name]
		for _, w := range a.wakes {
			if w.Device != name || !w.Waits || a.elsewhere(d) {
				continue
			}
			w.Waits = false
			if w.taken(a.now) || w.Attempts > 0 || w.Due <= a.now {
				continue // it was sent, or is
			}
			w.Due = a.calm(d, max(w.Else, a.now))
			for i := range d.woken {
				if d.woken[i].wake == w.Number {
					d.woken[i].at = w.Due
				}
			}
			a.say(w.Rule, "hurried", w.Class, name)
		}
	}
}

// tale notes for which chat a wake is owed.
func (a *Account) tale(w *Wake, c Class, count int) {
	if a.about.chat == "" {
		return
	}
	s := story{device: w.Device, chat: a.about.chat, key: a.about.key, tag: a.about.tag, class: c, count: count, wake: w.Number, at: a.now}
	if w.taken(a.now) {
		s.lease = w.Lease
	}
	a.stories = append(a.stories, s)
	if n := len(a.stories); n > 64 {
		a.stories = slices.Clone(a.stories[n-64:])
	}
}

// prune forgets what was sent two minutes ago, or is not owed any more.
func (a *Account) prune() {
	a.stories = slices.DeleteFunc(a.stories, func(s story) bool {
		if d := a.devices[s.device]; s.sent && d != nil && d.absent != nil {
			return false
		}
		return s.sent && a.now-s.at >= together || !s.sent && a.wake(s.wake) == nil
	})
}

func (a *Account) wake(number int) *Wake {
	for _, w := range a.wakes {
		if w.Number == number {
			return w
		}
	}
	return nil
}

// pass: another wake stands for it now.
func (a *Account) pass(from, to int) {
	for i, s := range a.stories {
		if !s.sent && s.wake == from {
			a.stories[i].wake, a.stories[i].lease = to, 0
		}
	}
}

// settled: what a worker had is over. What came while it had it is not.
func (a *Account) settled(w *Wake, took Wake, verdict string) (done []story) {
	for i, s := range a.stories {
		if !s.sent && s.wake == w.Number && s.lease != took.Lease {
			done = append(done, s)
			a.stories[i].sent, a.stories[i].at, a.stories[i].wake = true, a.now, 0
			if verdict != "sent" || s.read {
				a.stories[i].chat = "" // nobody can read what was never told, or what is read
			}
		}
	}
	return done
}

// untie: one stanza less, which may be any if nobody knows it.
func (a *Account) untie(w *Wake) {
	for i, s := range a.stories {
		if s.wake == w.Number && !s.sent && a.named(s) {
			a.stories = slices.Delete(a.stories, i, i+1)
			return
		}
	}
	a.stories = slices.DeleteFunc(a.stories, func(s story) bool { return s.wake == w.Number && !s.sent })
}

// named reports whether the event names that stanza.
func (a *Account) named(s story) bool {
	archived := len(s.key) > 2 && s.key[:2] == "s:"
	return archived && s.key == a.about.key || s.tag != "" && s.tag == a.about.tag
}

func (a *Account) read(e Event) {
	for _, name := range a.names(func(d *device) bool { return d.owner != e.Session }) {
		a.unneeded(name, e, true)
	}
}

func (a *Account) take(e Event) {
	a.end(e.Chat, true)
	for _, name := range a.names(nil) {
		a.unneeded(name, e, false)
	}
}

func (a *Account) retracted(e Event) {
	a.end(e.Chat, false)
	for _, name := range a.names(nil) {
		missed, rule := 0, ""
		for _, s := range a.stories {
			if w := a.wake(s.wake); w != nil && w.Class == Call && s.device == name && s.chat == e.Chat && e.Chat != "" && !(w.taken(a.now) && s.lease != w.Lease) {
				missed, rule = missed+s.count, w.Rule
			}
		}
		a.unneeded(name, e, false)
		if missed > 0 {
			a.owe(rule, name, Message, missed)
		}
	}
}

func (a *Account) end(call string, taken bool) {
	if call != "" && !a.isOver(call, taken) {
		a.over = append(a.over, over{call, taken, a.now})
	}
}

func (a *Account) isOver(call string, taken bool) bool {
	return call != "" && slices.ContainsFunc(a.over, func(o over) bool { return o.call == call && o.taken == taken && a.now-o.at < together })
}

// unneeded: what a device is owed for a chat is not needed any more; up to the one
// that is named, where there is such a limit and that one is known.
func (a *Account) unneeded(name string, e Event, limited bool) {
	if e.Chat == "" {
		return
	}
	var mine []int
	for i, s := range a.stories {
		if s.device == name && s.chat == e.Chat {
			mine = append(mine, i)
			if limited && a.named(s) {
				break
			}
		}
	}
	less := make(map[*Wake]int)
	var late []story
	stays := make(map[int]bool)
	for _, i := range mine {
		s := &a.stories[i]
		w := a.wake(s.wake)
		switch {
		case s.sent:
			late = append(late, *s)
		case w != nil && e.Kind == "retracted" && w.Class != Call:
			stays[i] = true // it tells of a call that was missed
		case w != nil && w.taken(a.now) && s.lease != w.Lease:
			if !s.read {
				late = append(late, *s)
			}
			if stays[i] = s.read || e.Kind != "retracted"; stays[i] {
				s.read = true
			}
		case w != nil:
			less[w] += s.count
		}
	}
	for _, i := range slices.Backward(mine) {
		if !stays[i] {
			a.stories = slices.Delete(a.stories, i, i+1)
		}
	}
	for c := Silent; c <= Call; c++ {
		w := a.find(name, func(w *Wake) bool { return w.Class == c })
		if w == nil || less[w] == 0 {
			continue
		}
		if w.Count -= less[w]; w.Count > 0 {
			a.say("r", "quiet", c, name)
			continue
		}
		a.drop(w)
		a.say("r", "withdraw", c, name)
	}
	for _, s := range late {
		a.say("r", "too-late", s.class, name)
		if s.sent && e.Kind != "retracted" {
			a.known(name, s.count)
		}
	}
}
