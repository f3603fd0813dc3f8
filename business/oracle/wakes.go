package oracle

import "slices"

// tell has a device told of a stanza, unless it was told already.
func (a *Account) tell(rule, key, name string, c Class, count int, published []string) {
	was := a.of(name).keys
	if c == Call {
		was = a.of(name).rang
	}
	switch {
	case a.devices[name].dead != "":
		a.say(rule, "dead", c, name)
	case c == Call && (a.isOver(a.about.chat, true) || a.isOver(a.about.chat, false)):
		a.say(rule, "quiet", c, name)
	case a.knows(was, key):
		a.say(rule, "covered", c, name)
	case slices.Contains(published, name):
		a.note(name, key, c)
		a.say(rule, "covered", c, name)
	case a.refused(a.devices[name], c, a.about):
		a.say(rule, "filtered", c, name)
	case c == Call && a.mute(a.devices[name]):
		a.note(name, key, c)
		a.say(rule, "filtered", c, name)
		a.owe(rule, name, Message, count)
	default:
		a.note(name, key, c)
		a.owe(rule, name, c, count)
	}
}

func (a *Account) note(name, key string, c Class) {
	m := a.of(name)
	m.keys = a.add(m.keys, key, keys)
	if c == Call {
		m.rang = a.add(m.rang, key, rang)
	}
}

// knows reports whether a key is among those of the last two minutes.
func (a *Account) knows(list []sighting, key string) bool {
	for _, s := range list {
		if key != "" && s.key == key && a.now-s.at < together {
			return true
		}
	}
	return false
}

// add remembers a key. Its two minutes begin with the first device that was told.
func (a *Account) add(list []sighting, key string, of func(*memory) []sighting) []sighting {
	if key == "" || a.knows(list, key) {
		return list
	}
	at := a.now
	for _, m := range a.memories {
		for _, s := range of(m) {
			if s.key == key && a.now-s.at < together {
				at = min(at, s.at)
			}
		}
	}
	return append(list, sighting{key, at})
}

func keys(m *memory) []sighting { return m.keys }
func rang(m *memory) []sighting { return m.rang }
func left(m *memory) []sighting { return m.left }

func (w *Wake) taken(now int64) bool { return now < w.Lease }

func (a *Account) find(name string, fits func(*Wake) bool) *Wake {
	for _, w := range a.wakes {
		if w.Device == name && fits(w) {
			return w
		}
	}
	return nil
}

// higher gives the next more important wake that nobody sends yet.
func (a *Account) higher(name string, c Class) *Wake {
	for c++; c < Call; c++ {
		if w := a.find(name, func(w *Wake) bool { return w.Class == c && !w.taken(a.now) }); w != nil {
			return w
		}
	}
	return nil
}

// owe adds stanzas to what a device is to be woken for, and says so.
func (a *Account) owe(rule, name string, c Class, count int) {
	verdict, _ := a.join(rule, name, c, count)
	a.say(rule, verdict, c, name)
}

// join adds stanzas to what a device is to be woken for: to a wake that is owed, or by a new one.
func (a *Account) join(rule, name string, c Class, count int) (verdict string, _ *Wake) {
	a.makeRoom(name)
	w := a.find(name, func(w *Wake) bool { return w.Class == c })
	if w == nil {
		w = a.higher(name, c)
	}
	if w != nil {
		w.Count += count
		if w.Again { // it is not any more
			w.Again, a.devices[name].absent.count = false, 0
		}
		if w.Class == Call {
			w.Since = a.now
			if w.Attempts > 0 && !w.taken(a.now) {
				w.Due = a.now
			}
		}
		a.tale(w, c, count)
		return "merged", w
	}
	a.last++
	w = &Wake{Number: a.last, Device: name, Class: c, Rule: rule, Count: count, Since: a.now}
	a.swallow(w)
	w.Due = a.free(name, c, w)
	a.wakes = append(a.wakes, w)
	a.tale(w, c, count)
	return "wake", w
}

// swallow takes what is less important and still to be sent into a wake.
func (a *Account) swallow(w *Wake) (classes []Class) {
	for c := Silent; c < w.Class && w.Class < Call; c++ {
		low := a.find(w.Device, func(o *Wake) bool { return o.Class == c && !o.taken(a.now) })
		if low == nil {
			continue
		}
		classes = append(classes, c)
		w.Count += low.Count
		w.Since = min(w.Since, low.Since)
		a.pass(low.Number, w.Number)
		a.drop(low)
	}
	return classes
}

// drop takes a wake off the list. One that has not fallen due opened no window, and
// did not ring.
func (a *Account) drop(w *Wake) {
	d := a.devices[w.Device]
	if w.Class == Call {
		d.calls = slices.DeleteFunc(d.calls, func(at int64) bool { return at > a.now })
	}
	d.woken = slices.DeleteFunc(d.woken, func(x woken) bool { return x.wake == w.Number && x.at > a.now })
	a.wakes = slices.DeleteFunc(a.wakes, func(o *Wake) bool { return o == w })
}

// free says when a device may be woken again, and notes that it will be.
func (a *Account) free(name string, c Class, w *Wake) int64 {
	d, at := a.devices[name], a.now
	if c == Call {
		if n := a.Rules.Calls; n > 0 && len(d.calls) >= n {
			at = max(at, d.calls[len(d.calls)-n]+minute)
		}
		d.calls = append(d.calls, at)
		return at
	}
	for _, was := range d.woken {
		if was.class >= c {
			at = max(at, was.at+a.Rules.Window)
		}
	}
	if until := a.now + a.grace(d); until > at && a.elsewhere(d) {
		w.Waits, w.Else = true, at
		at = until
	}
	at = a.calm(d, at)
	d.woken = append(d.woken, woken{c, at, w.Number})
	return at
}

// withdraw takes back everything that is owed to a device.
func (a *Account) withdraw(rule, name string) {
	for c := Silent; c <= Call; c++ {
		if w := a.find(name, func(w *Wake) bool { return w.Class == c }); w != nil {
			a.drop(w)
			if !w.Again || w.taken(a.now) {
				a.say(rule, "withdraw", c, name)
			}
		}
	}
}

// here: the client of the device is there.
func (a *Account) here(rule, name string) {
	a.withdraw(rule, name)
	a.returns(rule, name)
	a.devices[name].woken = nil
}

// Hold says until when a wake that is due has to wait.
func (a *Account) Hold(w Wake, now int64) int64 {
	d := a.devices[w.Device]
	if w.Class != Call && a.calm(d, now) > now {
		return a.calm(d, now)
	}
	if n := a.Rules.Silents; w.Class == Silent && n > 0 && len(d.silents) >= n {
		return max(now, d.silents[len(d.silents)-n]+hour)
	}
	return now
}

// Take has a worker take a wake, until a time.
func (a *Account) Take(number int, lease int64) {
	for _, w := range a.wakes {
		if w.Number == number {
			w.Lease, w.Due, w.Took = lease, lease, w.Count
		}
	}
}

// Release gives back what a worker took that is taken for dead.
func (a *Account) Release(number int) {
	for _, w := range a.wakes {
		if w.Number == number {
			w.Lease, w.Due, w.Took = 0, w.Since, 0
		}
	}
}

// Answer is what became of a wake that a worker took: sent, again, gave-up or dead.
func (a *Account) Answer(took Wake, verdict string, once bool, due, now int64) []Decision {
	a.begin(now)
	a.about = about{}
	i := slices.IndexFunc(a.wakes, func(w *Wake) bool { return w.Number == took.Number })
	if i < 0 {
		return nil // it was withdrawn
	}
	w := a.wakes[i]
	mine := w.Lease == took.Lease
	switch verdict {
	case "again":
		if !mine {
			return nil // somebody else has it
		}
		a.say(w.Rule, "again", w.Class, w.Device)
		w.Lease, w.Took, w.Due = 0, 0, due
		w.Attempts++
		a.gather(w)
		a.absences()
	case "sent", "gave-up":
		a.say(w.Rule, verdict, w.Class, w.Device)
		if verdict == "sent" && w.Class == Silent {
			a.devices[w.Device].silents = append(a.devices[w.Device].silents, now)
		}
		done := a.settled(w, took, verdict)
		var calls []story // that nobody took
		open := took.Took
		for _, s := range done {
			if s.read {
				open -= s.count
			} else {
				calls = append(calls, s)
			}
		}
		a.woke(w, verdict, once, open)
		left := w.Count - took.Took
		others := w.taken(now) && !mine
		if left <= 0 || !others {
			a.drop(w)
		}
		if left > 0 && !others {
			_, now := a.join(w.Rule, w.Device, w.Class, left)
			a.pass(w.Number, now.Number)
			a.say(w.Rule, "merged", w.Class, w.Device)
		}
		if verdict == "gave-up" && w.Class == Call && a.devices[w.Device].dead == "" && open > 0 {
			if len(calls) == 1 {
				a.about = about{tag: calls[0].tag, chat: calls[0].chat}
			}
			a.owe(w.Rule, w.Device, Message, open)
		}
		a.absences()
	case "dead":
		a.drop(w)
		a.kill(w.Device, "410")
	}
	return a.said()
}

// gather: a wake that nobody sends any more goes with one that is as important or
// more, and takes along what is less.
func (a *Account) gather(w *Wake) {
	if w.Again {
		if d := a.devices[w.Device]; d.absent.count == 0 { // all of it is read
			d.absent = nil
			a.drop(w)
			a.say(w.Rule, "withdraw", w.Class, w.Device)
		} else if a.find(w.Device, func(o *Wake) bool { return o != w }) != nil {
			a.drop(w)
			a.say(w.Rule, "withdraw", w.Class, w.Device)
		}
		return
	}
	a.makeRoom(w.Device)
	if w.Class == Call {
		return
	}
	high := a.higher(w.Device, w.Class)
	if high != nil {
		high.Count += w.Count
		high.Since = min(high.Since, w.Since)
		a.pass(w.Number, high.Number)
		a.drop(w)
		a.say(w.Rule, "withdraw", w.Class, w.Device)
		return
	}
	for _, c := range a.swallow(w) {
		a.say(w.Rule, "withdraw", c, w.Device)
	}
}

func (a *Account) kill(name, why string) {
	a.withdraw("", name)
	a.devices[name].dead, a.devices[name].absent = why, nil
	a.say("", "dead", Nothing, name)
}
