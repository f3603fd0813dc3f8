package gateway

import (
	"sync"
	"time"
)

// silent is how long nothing more is logged of devices that the store does not
// know: after a loss it is all of them, at each message.
const silent = 10 * time.Minute

// losses notices nodes that were issued here and have no registration. A store
// that was kept has one for each, or a tombstone.
type losses struct {
	mu     sync.Mutex
	said   time.Time
	unsaid int
}

// note counts one, and reports how many there were since the last time that
// something was said, if it is time to say it again.
func (l *losses) note(now time.Time) (n int, say bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsaid++
	if !l.said.IsZero() && now.Sub(l.said).Abs() < silent {
		return 0, false
	}
	n, l.said, l.unsaid = l.unsaid, now, 0
	return n, true
}

// lost tells the operator that a node of ours is not in the store.
func (g *Gateway) lost(node string) {
	if g.cfg.Observer != nil {
		g.cfg.Observer.UnknownNode()
	}
	if n, say := g.losses.note(g.cfg.Now()); say {
		g.log.Error("a node that was issued here is not in the store", "node", node[:6], "times", n,
			"hint", "was the store lost, or restored from an older copy? Put back a backup if there is a better one (docs/backup.md); "+
				"servers keep what they know of the devices, and each is back when its app next registers")
	}
}
