package disco

import (
	"context"
	"encoding/xml"
	"iter"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/forms"
	"rouse/component/stanza"
)

// Namespaces of XEP-0030, also features, and the node of XEP-0050 §2.
const (
	NSInfo       = "http://jabber.org/protocol/disco#info"
	NSItems      = "http://jabber.org/protocol/disco#items"
	NodeCommands = "http://jabber.org/protocol/commands"
)

// NSPush is the feature of a push service (XEP-0357 §4.2).
const NSPush = "urn:xmpp:push:0"

// Identity is what an entity is (XEP-0030 §3.1).
type Identity struct{ Category, Type, Name string }

// Push is the identity of a push service (XEP-0357 §4.2).
func Push(name string) Identity { return Identity{"pubsub", "push", name} }

// Commands yields nodes and names of the ad-hoc commands that someone may be
// told of.
type Commands interface {
	All() iter.Seq2[string, string]
}

// Info is what is told. Features come from the component.
type Info struct {
	Identity Identity
	Forms    []forms.Form
	Commands Commands // nil if there are none
}

// Handle has c answer queries of disco#info and disco#items.
func Handle(c *component.Component, info Info) {
	h := &handler{c, info}
	for ns, f := range map[string]func(node string) ([]stanza.Element, bool){NSInfo: h.info, NSItems: h.items} {
		c.HandleIQ(xmpp.GetIQ, xml.Name{Space: ns, Local: "query"}, component.Sync(func(_ context.Context, iq component.IQ) component.Answer {
			node, given := iq.Payload.Lookup("node")
			children, ok := f(node)
			if !ok {
				return component.Fail(xmpp.Cancel, xmpp.ItemNotFound, "")
			}
			query := stanza.Element{Space: ns, Name: "query", Children: children}
			if given {
				query.Set("node", node)
			}
			return component.Result(query)
		}), ns)
	}
}

type handler struct {
	c    *component.Component
	what Info
}

func (h *handler) info(node string) ([]stanza.Element, bool) {
	if node == "" {
		all := describe(h.what.Identity, h.c.Features()...)
		for _, f := range h.what.Forms {
			all = append(all, f.Element())
		}
		return all, true
	}
	if h.what.Commands == nil {
		return nil, false
	}
	if node == NodeCommands {
		return describe(Identity{"automation", "command-list", ""}, NSInfo, NSItems), true
	}
	for command, name := range h.what.Commands.All() {
		if command == node {
			return describe(Identity{"automation", "command-node", name}, NodeCommands, forms.NS), true
		}
	}
	return nil, false
}

func describe(id Identity, features ...string) []stanza.Element {
	identity := stanza.Element{Space: NSInfo, Name: "identity", Attr: []stanza.Attr{{Name: "category", Value: id.Category}, {Name: "type", Value: id.Type}}}
	if id.Name != "" {
		identity.Set("name", id.Name)
	}
	all := []stanza.Element{identity}
	for _, f := range features {
		all = append(all, stanza.Element{Space: NSInfo, Name: "feature", Attr: []stanza.Attr{{Name: "var", Value: f}}})
	}
	return all
}

func (h *handler) items(node string) ([]stanza.Element, bool) {
	if node == "" {
		return nil, true
	}
	if h.what.Commands == nil {
		return nil, false
	}
	var all []stanza.Element
	for command, name := range h.what.Commands.All() {
		if node == command { // a command has no items
			return nil, true
		}
		all = append(all, stanza.Element{Space: NSItems, Name: "item", Attr: []stanza.Attr{
			{Name: "jid", Value: h.c.JID().String()}, {Name: "node", Value: command}, {Name: "name", Value: name},
		}})
	}
	return all, node == NodeCommands
}
