package redis

import (
	"container/heap"
	"math"
	"slices"
	"sync"
	"time"

	"rouse/session"
	"rouse/store"
)

// agenda is what this process knows of pending wakes: its own commits, and what
// sweeps found. It is a list of where to look; whether a wake can be claimed is
// said by its row alone. So what is wrong here costs a look in vain, or the time
// until the next sweep, and never a wake.
type agenda struct {
	mu      sync.Mutex
	classes [session.NumClasses]class
	owners  map[string][]*candidate
	sweep   uint64 // the newest sweep that began
	done    uint64 // the newest that ended
	epoch   uint64 // counts forget
	began   time.Time
}

// class has the candidates of one class, by due time.
type class struct {
	byDue   byDue
	horizon int64 // what is not known is not due before
	missed  int64 // the earliest that was not taken up since the sweep began
}

// candidate is a wake that may be pending.
type candidate struct {
	id    wakeID
	due   int64 // nanoseconds; not later than it is
	exact bool  // due is to the nanosecond
	sweep uint64
	place int // in its class
}

// never is later than any time.
const never = math.MaxInt64

// mostOfClass bounds the candidates of a class. What is more is found by a sweep
// when these are gone; and a backlog of one class does not hide another class.
const mostOfClass = 8192

type byDue []*candidate

func (b byDue) Len() int           { return len(b) }
func (b byDue) Less(i, j int) bool { return b[i].due < b[j].due }
func (b byDue) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}
func (b *byDue) Push(x any) {
	c := x.(*candidate)
	c.place = len(*b)
	*b = append(*b, c)
}
func (b *byDue) Pop() any {
	last := len(*b) - 1
	c := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return c
}

// forget makes everything unknown.
func (a *agenda) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owners = make(map[string][]*candidate)
	for i := range a.classes {
		a.classes[i] = class{horizon: math.MinInt64, missed: never}
	}
	a.epoch++
}

// learn takes up what a commit of ours changed.
func (a *agenda) learn(c store.Commit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.Forget {
		for _, known := range slices.Clone(a.owners[c.Key]) {
			a.remove(known)
		}
		return
	}
	for _, k := range c.Drop {
		if known := a.find(wakeID{c.Key, k}); known != nil {
			a.remove(known)
		}
	}
	for k, w := range c.Put {
		a.put(wakeID{c.Key, k}, nanos(w.Due), true)
	}
}

func (a *agenda) find(id wakeID) *candidate {
	for _, c := range a.owners[id.owner] {
		if c.id.key == id.key {
			return c
		}
	}
	return nil
}

func (a *agenda) remove(c *candidate) {
	heap.Remove(&a.classes[c.id.key.Class].byDue, c.place)
	rest := slices.DeleteFunc(a.owners[c.id.owner], func(o *candidate) bool { return o == c })
	if len(rest) == 0 {
		delete(a.owners, c.id.owner)
	} else {
		a.owners[c.id.owner] = rest
	}
}

// put takes up a candidate, unless it lies where not all is known anyway.
func (a *agenda) put(id wakeID, due int64, exact bool) {
	class := &a.classes[id.key.Class]
	if c := a.find(id); c != nil {
		c.due, c.exact, c.sweep = due, exact, a.sweep
		heap.Fix(&class.byDue, c.place)
		return
	}
	if due >= class.horizon || len(class.byDue) >= mostOfClass {
		class.missed = min(class.missed, due)
		class.horizon = min(class.horizon, due)
		return
	}
	c := &candidate{id: id, due: due, exact: exact, sweep: a.sweep}
	heap.Push(&class.byDue, c)
	a.owners[id.owner] = append(a.owners[id.owner], c)
}

// take gives candidates that are due, most urgent class first, then oldest due, and
// forgets them until they are given back. Blind: there may be more that a sweep
// would find. Unless it is told to go on it stops at the class where that is so.
func (a *agenda) take(now int64, limit int, goOn bool) (out []candidate, blind bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.classes) - 1; i >= 0 && len(out) < limit; i-- {
		class := &a.classes[i]
		for len(out) < limit && len(class.byDue) > 0 && class.byDue[0].due <= now {
			c := class.byDue[0]
			out = append(out, *c)
			a.remove(c)
		}
		if len(out) < limit && class.horizon <= now {
			blind = true
			if !goOn {
				return out, true
			}
		}
	}
	return out, blind
}

// back gives a candidate back, with what was found out, unless a commit has told
// of it meanwhile.
func (a *agenda) back(id wakeID, due int64, exact bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.find(id) == nil {
		a.put(id, due, exact)
	}
}

// hint says that a wake is due since a time that is not known.
func (a *agenda) hint(id wakeID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(id, 0, false)
}

// settle notes the exact due time of a candidate; false: it is not pending.
func (a *agenda) settle(id wakeID, due int64, pending bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.find(id)
	switch {
	case c == nil || c.exact:
	case !pending:
		a.remove(c)
	default:
		c.due, c.exact = due, true
		heap.Fix(&a.classes[id.key.Class].byDue, c.place)
	}
}

// first gives the candidate that is due first. Blind: something that is not known
// may be due before.
func (a *agenda) first() (c candidate, found, blind bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	horizon := int64(never)
	for i := range a.classes {
		class := &a.classes[i]
		horizon = min(horizon, class.horizon)
		if len(class.byDue) > 0 && (!found || class.byDue[0].due < c.due) {
			c, found = *class.byDue[0], true
		}
	}
	// A horizon is not exact, so it is compared by what an index knows.
	blind = horizon != never && (!found || horizon < dueOf(scoreOf(c.due)))
	return c, found, blind
}

// sweeping is a sweep under way.
type sweeping struct {
	number, epoch uint64
	found         []candidate
	horizon       [session.NumClasses]int64
}

// begin notes that a sweep begins: what is learnt from now on is newer.
func (a *agenda) begin() *sweeping {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep++
	a.began = time.Now()
	s := &sweeping{number: a.sweep, epoch: a.epoch}
	for i := range a.classes {
		a.classes[i].missed = never
		s.horizon[i] = never
	}
	return s
}

// end takes up what a sweep found, in the place of what was known before it.
func (a *agenda) end(s *sweeping) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.epoch != a.epoch {
		return
	}
	a.done = s.number
	var fresh []candidate
	for _, c := range s.found {
		switch known := a.find(c.id); {
		case known == nil:
			fresh = append(fresh, c)
		case known.sweep < s.number && scoreOf(known.due) != scoreOf(c.due):
			a.put(c.id, c.due, false)
		default:
			known.sweep = s.number
		}
	}
	for i := range a.classes {
		class := &a.classes[i]
		for _, c := range slices.Clone(class.byDue) {
			if c.sweep < s.number {
				a.remove(c)
			}
		}
		class.horizon = never
	}
	for _, c := range fresh {
		a.put(c.id, c.due, false)
	}
	for i := range a.classes {
		class := &a.classes[i]
		class.horizon = min(class.horizon, class.missed, s.horizon[i])
	}
}

// age says how long ago the last sweep began, and gives the number of the last one
// that ended.
func (a *agenda) age() (since time.Duration, done uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.began), a.done
}
