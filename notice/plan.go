package notice

import (
	"slices"
	"time"
)

// Delivery is that one notice is told to somebody in one context.
type Delivery struct {
	Context string // chat, device, room, or exec:NAME
	Address string // a bare JID, a room, or the name of a program
	Role    Role
	Filter  string // that matched
	Text    string
	Lane    string // what is in one lane is told in order
	Fate    string // why it cannot be told; empty: it is to be told
}

// Fixed is a room or a program of the configuration.
type Fixed struct {
	Context, Address string
	Role             Role
	Filters          []string
}

// Listeners is who may be told.
type Listeners struct {
	Admins      []string // bare JIDs
	Fixed       []Fixed
	Except      []string // kinds of which nobody is told by default, as patterns
	Preferences func(address string) Preferences
	Failed      func(address string, err error) // a filter of somebody's failed; may be nil
}

// Plan makes of a notice who is told where. Somebody who has several roles is told
// once in each context, by the first role in which they are.
func Plan(n *Notice, who Listeners, now time.Time) (list []Delivery) {
	audience := AudienceOf(n, who.Except)
	view := func(r Role) *View { return &View{Notice: n, Role: r, Default: audience.Has(r), Now: now} }
	fails := func(address string, err error) {
		if err != nil && who.Failed != nil {
			who.Failed(address, err)
		}
	}
	add := func(d Delivery) {
		if !slices.ContainsFunc(list, func(have Delivery) bool { return have.Context == d.Context && have.Address == d.Address }) {
			list = append(list, d)
		}
	}
	person := func(r Role, address string) {
		p := who.Preferences(address)
		for _, name := range Contexts() {
			filter, err := p.Context(name).Match(view(r))
			fails(address, err)
			if filter != "" {
				add(Delivery{Context: name, Address: address, Role: r, Filter: filter, Text: n.Said(r), Lane: address})
			}
		}
	}
	people := func(r Role, those []Person) {
		for _, p := range those {
			switch {
			case p.Address != "":
				person(r, p.Address)
			case audience.Has(r):
				add(Delivery{Context: Chat, Address: p.Name, Role: r, Filter: everybody, Text: n.Text, Lane: p.Name, Fate: "there is no address in chat: " + p.Why})
			}
		}
	}
	people(You, n.People)
	people(Manager, n.Managers)
	for _, address := range n.To {
		person(Named, address)
	}
	for _, address := range who.Admins {
		person(Admin, address)
	}
	for _, f := range who.Fixed {
		filter, err := Context{Filters: f.Filters}.Match(view(f.Role))
		fails(f.Address, err)
		if filter == "" {
			continue
		}
		d := Delivery{Context: f.Context, Address: f.Address, Role: f.Role, Filter: filter, Text: n.Text, Lane: f.Address}
		if f.Role == Program {
			d.Lane += "\x00" + n.Subject // of one user in order, and no user waits for another
		}
		add(d)
	}
	return list
}

// Roles gives those in which an account may be told of a notice.
func Roles(n *Notice, account string, admin bool) (list []Role) {
	among := func(people []Person) bool {
		return slices.ContainsFunc(people, func(p Person) bool { return p.Address == account })
	}
	if among(n.People) {
		list = append(list, You)
	}
	if among(n.Managers) {
		list = append(list, Manager)
	}
	if slices.Contains(n.To, account) {
		list = append(list, Named)
	}
	if admin {
		list = append(list, Admin)
	}
	return list
}

// Said is the text that is told in a role.
func (n *Notice) Said(r Role) string {
	if r == You && n.You != "" {
		return n.You
	}
	return n.Text
}
