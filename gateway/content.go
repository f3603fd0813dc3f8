package gateway

import (
	"slices"

	"rouse/session"
	"rouse/store"
)

// contents bounds what is kept of what publishes said: a few megabytes.
const contents = 4096

// tell keeps what a publish said beside the wake that it leads to. The newest
// counts: a wake stands for several publishes, and the app fetches them all.
func (g *Gateway) tell(node string, app string, p *PublishRequest) {
	key := contentKey(store.NodeKey(node), session.WakeKey{Address: session.Address{Node: node}, Class: p.Class})
	c := p.Content
	if g.cfg.Tells == nil || !g.cfg.Tells(app) {
		c.Sender, c.Nickname, c.Body = "", "", ""
	}
	if c == (session.Content{}) {
		g.contents.drop(key)
		return
	}
	g.contents.put(key, &c)
}

// told gives what is to be said with a wake, if this process knows.
func (g *Gateway) told(j session.Job) *session.Content {
	c, _ := g.contents.get(contentKey(j.Owner, j.Key))
	return c
}

// said lets go of what was sent, unless there is something newer.
func (g *Gateway) said(j session.Job) {
	key := contentKey(j.Owner, j.Key)
	if c, ok := g.contents.get(key); ok && c == j.Content {
		g.contents.drop(key)
	}
}

func contentKey(owner string, k session.WakeKey) string {
	return owner + " " + k.Node + " " + k.Class.String()
}

// seal keeps what the account's server encrypted of a stanza, beside the wakes that it
// led to. A wake for one of which nothing came says nothing.
func (g *Gateway) seal(e session.Event, reasons []session.Reason) {
	for _, r := range reasons {
		if r.Verdict != session.Woke && r.Verdict != session.Merged || r.Endpoint.Service != g.cfg.Service {
			continue
		}
		key := contentKey(e.Account, session.WakeKey{Address: r.Endpoint, Class: r.Class})
		if i := slices.IndexFunc(e.Sealed, func(s session.Sealed) bool { return s.Address == r.Endpoint }); i >= 0 {
			g.contents.put(key, &session.Content{Encrypted: e.Sealed[i].Encrypted, IV: e.Sealed[i].IV})
		} else {
			g.contents.drop(key)
		}
	}
}
