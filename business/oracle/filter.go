package oracle

import "slices"

// Filter is what the user does not want a device to be woken for, or not now.
type Filter struct {
	Muted        []string
	Rooms        map[string]string // always, mentioned or never
	Groups       string            // the same for any other room; "": always
	Known, Calls bool
	From, To     int   // minutes of a day
	East         int64 // how much later clocks are where that is
	Until        int64
	Grace        int64 // 0: as the rules say
}

func (a *Account) filters(d *device) (list []*Filter) {
	for _, f := range []*Filter{a.filter, d.filter} {
		if f != nil {
			list = append(list, f)
		}
	}
	return list
}

// refused: a stanza does not wake the device.
func (a *Account) refused(d *device, c Class, of about) bool {
	for _, f := range a.filters(d) {
		room, inRoom := f.Rooms[of.chat], c == Group || c == Mention
		if room == "" {
			room = f.Groups
		}
		if of.stranger && f.Known && !inRoom || of.chat != "" && slices.Contains(f.Muted, of.chat) && c != Call ||
			inRoom && (room == "never" || room == "mentioned" && c == Group) {
			return true
		}
	}
	return false
}

// quietAt: no wake is wanted then.
func (f *Filter) quietAt(t int64) bool {
	if t < f.Until {
		return true
	}
	m := int((t + f.East) / minute % (24 * 60))
	if f.From < f.To {
		return m >= f.From && m < f.To
	}
	return f.From > f.To && (m >= f.From || m < f.To)
}

// calm gives the first moment from t on at which nobody wants quiet.
func (a *Account) calm(d *device, t int64) int64 {
	for {
		next := t
		for _, f := range a.filters(d) {
			if t < f.Until {
				next = f.Until
			} else if f.quietAt(t) {
				next = (t/minute + 1) * minute
			}
		}
		if next == t {
			return t
		}
		t = next
	}
}

// mute: a call does not ring.
func (a *Account) mute(d *device) bool {
	return slices.ContainsFunc(a.filters(d), func(f *Filter) bool { return !f.Calls && f.quietAt(a.now) })
}

func (a *Account) grace(d *device) int64 {
	grace := a.Rules.Grace
	for _, f := range a.filters(d) {
		if f.Grace != 0 {
			grace = max(0, f.Grace)
		}
	}
	return grace
}

// choose: the user sets a filter. What waits for quiet to end, or for a window, is due.
func (a *Account) choose(e Event) {
	names := a.names(nil)
	if e.Device == "" {
		a.filter = e.Filter
	} else if d := a.devices[e.Device]; d != nil {
		d.filter = e.Filter
		names = []string{e.Device}
	} else {
		return
	}
	for _, name := range names {
		d := a.devices[name]
		for c := Silent; c < Call; c++ {
			w := a.find(name, func(w *Wake) bool { return w.Class == c })
			if w == nil || w.taken(a.now) || w.Attempts > 0 || w.Waits || w.Again || w.Due <= a.now {
				continue
			}
			at := a.now
			if n := len(d.woken); n > 0 && d.woken[n-1].wake == w.Number && d.woken[n-1].at == w.Due {
				for _, was := range d.woken[:n-1] {
					if was.class >= c {
						at = max(at, was.at+a.Rules.Window)
					}
				}
				at = a.calm(d, at)
				d.woken[n-1].at = at
			}
			w.Due = a.calm(d, at)
			if w.Due == a.now {
				a.say(w.Rule, "hurried", c, name)
			}
		}
	}
}
