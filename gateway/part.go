package gateway

import "rouse/session"

// parted bounds the nodes that are known to have been told of.
const parted = 10_000

// part lets the account's server know, once, that a registration is over (XEP-0357,
// Remote Disabling of Notifications). That can be done where the account is kept,
// which is for the clients of the one family whose server and clients act on it
// (Tigase, Siskin). It is a courtesy: who is not told is answered item-not-found.
func (g *Gateway) part(reg session.Registration) {
	if reg.Account == "" || g.cfg.Parts == nil {
		return
	}
	if _, told := g.parted.get(reg.Node); told {
		return
	}
	if g.cfg.Parts(reg.Account, reg.Node) {
		g.parted.put(reg.Node, struct{}{})
	}
}
