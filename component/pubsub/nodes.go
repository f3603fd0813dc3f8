package pubsub

import (
	"context"
	"encoding/xml"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
)

// NSOwner is what clients say of nodes that they have made.
const NSOwner = "http://jabber.org/protocol/pubsub#owner"

// HandleNodes has c take what MongooseIM's clients do before they enable push:
// they make a node of type push, configure it, let their server publish there, and
// delete it in the end. Nothing of that is kept: who may publish follows from the
// first publish.
func HandleNodes(c *component.Component) {
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: NSOwner, Local: "pubsub"}, component.Sync(func(_ context.Context, iq component.IQ) component.Answer {
		for _, name := range []string{"configure", "affiliations", "delete"} {
			if e := iq.Payload.Child(NSOwner, name); e != nil {
				return named(e.Get("node"))
			}
		}
		return component.Fail(xmpp.Cancel, xmpp.FeatureNotImplemented, "")
	}))
}

// named takes what is about a node, if it says which.
func named(node string) component.Answer {
	if node == "" {
		return component.Fail(xmpp.Modify, xmpp.NotAcceptable, "a node needs a name")
	}
	return component.Done()
}
