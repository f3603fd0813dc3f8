package gateway

import (
	"rouse/session"
	"rouse/store"
)

// contents bounds what is kept of what publishes said: a few megabytes.
const contents = 4096

// tell keeps what a publish said beside the wake that it leads to. The newest
// counts: a wake stands for several publishes, and the app fetches them all.
func (g *Gateway) tell(node string, app string, p *PublishRequest) {
	key := contentKey(store.NodeKey(node), p.Class)
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
	c, _ := g.contents.get(contentKey(j.Owner, j.Key.Class))
	return c
}

// said lets go of what was sent, unless there is something newer.
func (g *Gateway) said(j session.Job) {
	key := contentKey(j.Owner, j.Key.Class)
	if c, ok := g.contents.get(key); ok && c == j.Content {
		g.contents.drop(key)
	}
}

func contentKey(owner string, c session.Class) string { return owner + " " + c.String() }
