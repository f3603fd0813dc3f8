package pubsub

import "rouse/component/stanza"

// Part tells an account's server, and its clients, that a node is not the
// account's any more (XEP-0357, Remote Disabling of Notifications).
func Part(account, node string) stanza.Element {
	return stanza.Element{Name: "message", Attr: []stanza.Attr{{Name: "to", Value: account}}, Children: []stanza.Element{{
		Space: NS, Name: "pubsub", Attr: []stanza.Attr{{Name: "node", Value: node}}, Children: []stanza.Element{{
			Space: NS, Name: "affiliation", Attr: []stanza.Attr{{Name: "jid", Value: account}, {Name: "affiliation", Value: "none"}},
		}},
	}}}
}
