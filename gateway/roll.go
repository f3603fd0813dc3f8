package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// Enrolment bounds what can be registered. The zero value has no limits.
type Enrolment struct {
	Devices int // that an account has at most, rooms counted apart; the one that was longest not seen goes
	Account int // registrations of an account in an hour, repeated ones too
	Domain  int // new devices of a domain in an hour that is none of Hosts
}

// Limited is what registers more than it may.
type Limited struct {
	Who   string // an account or a domain
	Again time.Duration
}

func (l *Limited) Error() string {
	return fmt.Sprintf("gateway: %s registers more than it may; again in %v", l.Who, l.Again)
}

// dated is how old the date of a device on its roll may be: an app registers with
// every login, which is not worth a commit each.
const dated = 20 * time.Hour

// rollOf names the owner that lists what an account registered. An account of ours
// has the list itself; that of another server has a name that does not say whose it
// is, since nobody needs to know.
func (g *Gateway) rollOf(account string) string {
	_, host, _ := strings.Cut(account, "@")
	if g.Reports(host) {
		return account
	}
	return store.RollKey(g.cfg.Nodes.Issue("roll", account))
}

// may counts a registration of an account, before anything is looked up for it.
func (g *Gateway) may(account string) error {
	if g.cfg.Enrols == nil {
		return nil
	}
	return g.count(g.accounts, account, g.cfg.Enrols().Account)
}

// welcome counts a device that is new against the domain of its account. Those of
// our hosts are as many as the host has users.
func (g *Gateway) welcome(ctx context.Context, reg session.Registration, account string) error {
	_, domain, _ := strings.Cut(account, "@")
	if g.cfg.Enrols == nil || g.Reports(domain) {
		return nil
	}
	was, err := g.registration(ctx, reg.Node)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && was.Token == "": // new, or back
	default:
		return err
	}
	if again := g.newcomer(domain); again > 0 {
		return &Limited{domain, again}
	}
	return nil
}

// newcomer counts one more device of a domain, or says when there may be one.
func (g *Gateway) newcomer(domain string) time.Duration {
	if g.cfg.Enrols == nil || g.Reports(domain) {
		return 0
	}
	var over *Limited
	if errors.As(g.count(g.domains, domain, g.cfg.Enrols().Domain), &over) {
		return over.Again
	}
	return 0
}

func (g *Gateway) count(of *senders, who string, hourly int) error {
	if hourly <= 0 {
		return nil
	}
	now := g.cfg.Now()
	again := of.every(who, time.Hour/time.Duration(hourly), hourly, now)
	if again == 0 {
		return nil
	}
	if g.cfg.Observer != nil {
		g.cfg.Observer.Limited()
	}
	if of.speak(now) {
		g.log.Warn("more is registered than may be; it is refused, and what was registered stays", "by", who,
			"hint", "if it is in order: rules.registrations_per_hour and rules.new_devices_per_hour")
	}
	return &Limited{who, again}
}

// enrol notes a device on its account's roll, and ends the registrations that are
// too many there. An account of ours learns at once that the device can be woken.
func (g *Gateway) enrol(ctx context.Context, account string, reg session.Registration) error {
	key, now, most := g.rollOf(account), g.cfg.Now(), 0
	if g.cfg.Enrols != nil {
		most = g.cfg.Enrols().Devices
	}
	ours := key == account && reg.Channel == ""
	if !ours {
		o, err := g.load(ctx, key)
		if err != nil {
			return err
		}
		if listed(o.Account, reg.Node, now) {
			return nil
		}
	}
	renew := session.Event{Kind: session.Renew, Address: session.Address{Service: g.cfg.Service, Node: reg.Node}}
	var out []string
	err := g.do(ctx, key, func(a session.Account) (session.Account, []session.Reason) {
		var reasons []session.Reason
		if ours {
			a, reasons = business.Decide(a, renew, g.cfg.Policy(), now)
		}
		a, out = business.Enrol(a, reg.Node, most, now)
		return a, reasons
	})
	if err != nil {
		return err
	}
	for _, node := range out {
		if err := g.cfg.Store.Unregister(ctx, node, "too many devices: the oldest goes", now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		g.regs.drop(node)
	}
	return nil
}

func onRoll(a session.Account, node string) int {
	return slices.IndexFunc(a.Devices, func(d session.Device) bool { return d.Node == node })
}

func listed(a session.Account, node string, now time.Time) bool {
	i := onRoll(a, node)
	return i >= 0 && now.Sub(a.Devices[i].At).Abs() < dated
}

// strike takes a device off its account's roll, if it is on it.
func (g *Gateway) strike(ctx context.Context, account, node string) error {
	key := g.rollOf(account)
	o, err := g.load(ctx, key)
	if err != nil || onRoll(o.Account, node) < 0 {
		return err
	}
	return g.do(ctx, key, func(a session.Account) (session.Account, []session.Reason) {
		return business.Strike(a, node), nil
	})
}

// remembers reports whether a registration is in memory: to ask for it costs nothing.
func (g *Gateway) remembers(node string) bool {
	_, ok := g.regs.get(node)
	return ok
}
