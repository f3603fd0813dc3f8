package business

import (
	"rouse/session"
)

// enable puts an endpoint in the hands of the session that enabled it. An older
// session loses it at once; what was owed is not needed, the client is here.
func (d *decision) enable() {
	e := d.e
	ep := d.a.Endpoints[e.Address]
	ep.Owner, ep.Resource, ep.Client, ep.Secret = e.Session, e.Resource, e.Client, e.Secret
	ep.Enabled, ep.Told, ep.Dead = d.now, e.Told, e.Reason
	if e.Filter != nil {
		if ep.Filter = e.Filter; ep.Filter.Empty() {
			ep.Filter = nil
		}
	}
	d.a.Endpoints[e.Address] = ep
	d.here("", e.Address, "the client is here")
	d.bound(e.Address)
	d.boundThirds(e.Address)
	if e.Reason != "" {
		d.say("", session.Died, session.Nothing, e.Address, "enabled, but cannot be used: "+e.Reason)
		return
	}
	d.say("", session.Quiet, session.Nothing, e.Address, "push enabled")
}

// bound lets the oldest endpoints go when there are too many.
func (d *decision) bound(keep session.Address) {
	for len(d.a.Endpoints) > MaxEndpoints {
		d.remove(d.oldest(keep, func(session.Address) bool { return true }), "too many endpoints: the oldest goes")
	}
}

// boundThirds lets the oldest endpoints at push services of third parties go when
// there are too many of these.
func (d *decision) boundThirds(keep session.Address) {
	third := func(addr session.Address) bool { return d.policy.Service != "" && addr.Service != d.policy.Service }
	n := 0
	for addr := range d.a.Endpoints {
		if third(addr) {
			n++
		}
	}
	for ; n > MaxThirds; n-- {
		d.remove(d.oldest(keep, third), "too many at push services of third parties: the oldest goes")
	}
}

// oldest gives the endpoint that was enabled first, of those that count.
func (d *decision) oldest(keep session.Address, counts func(session.Address) bool) session.Address {
	var oldest session.Address
	for _, addr := range d.addresses(all) {
		if addr == keep || !counts(addr) {
			continue
		}
		if oldest == (session.Address{}) || d.a.Endpoints[addr].Enabled.Before(d.a.Endpoints[oldest].Enabled) {
			oldest = addr
		}
	}
	return oldest
}

func (d *decision) disable() { d.remove(d.e.Address, "push disabled") }

func (d *decision) remove(addr session.Address, why string) {
	if _, ok := d.a.Endpoints[addr]; !ok {
		return
	}
	d.withdraw("", addr, why)
	delete(d.a.Endpoints, addr)
	d.say("", session.Quiet, session.Nothing, addr, why)
}

// adopt gives a session that bound afresh the endpoints of its client, so that
// they do not count as asleep until it enables them again.
func (d *decision) adopt(s session.Session) {
	for _, addr := range d.addresses(func(ep session.Endpoint) bool { return sameClient(ep, s) }) {
		ep := d.a.Endpoints[addr]
		ep.Owner = d.e.Session
		d.a.Endpoints[addr] = ep
		d.here("", addr, "the client logged in")
	}
}

// sameClient compares the server's id of the client software; where a server has
// none, the resource, which clients that push choose once.
func sameClient(ep session.Endpoint, s session.Session) bool {
	if ep.Client != "" || s.Client != "" {
		return ep.Client == s.Client
	}
	return ep.Resource != "" && ep.Resource == s.Resource
}

// gone: the provider says that the device cannot be reached any more.
func (d *decision) gone() {
	if _, ok := d.a.Endpoints[d.e.Address]; ok {
		d.kill(d.e.Address, d.e.Reason)
	}
}

func (d *decision) kill(addr session.Address, why string) {
	d.withdraw("", addr, why)
	ep := d.a.Endpoints[addr]
	ep.Dead, ep.Expected = why, session.Expected{}
	d.a.Endpoints[addr] = ep
	d.say("", session.Died, session.Nothing, addr, why)
}

// renew: the device registered again and can be reached.
func (d *decision) renew() {
	ep, ok := d.a.Endpoints[d.e.Address]
	if !ok || ep.Dead == "" {
		return
	}
	ep.Dead = ""
	d.a.Endpoints[d.e.Address] = ep
	d.say("", session.Quiet, session.Nothing, d.e.Address, "registered again")
}
