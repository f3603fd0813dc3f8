package redis

import (
	"sync"
	"time"
)

// doubts are claims that may have been made, and that this process heard nothing
// of: until when, by wake. Without them such wakes would wait for their leases.
type doubts struct {
	mu    sync.Mutex
	until map[wakeID]string
}

// mostDoubts bounds them. What is more waits for its lease.
const mostDoubts = 10_000

// note takes up a claim that failed.
func (d *doubts) note(candidates []candidate, now, until time.Time) {
	over, err1 := stamp(now)
	end, err2 := stamp(until)
	if err1 != nil || err2 != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until == nil {
		d.until = make(map[wakeID]string)
	}
	if len(d.until) >= mostDoubts {
		for id, end := range d.until {
			if end <= over {
				delete(d.until, id)
			}
		}
	}
	for _, c := range candidates {
		if len(d.until) < mostDoubts {
			d.until[c.id] = end
		}
	}
}

// of gives the end of the lease that a wake may have; "": there is no doubt.
func (d *doubts) of(id wakeID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until[id]
}

// forget notes that Redis has answered.
func (d *doubts) forget(id wakeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.until, id)
}
