package ping

import (
	"context"
	"encoding/xml"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
)

// NS is the namespace of XEP-0199, and its feature.
const NS = "urn:xmpp:ping"

// Handle has c answer pings.
func Handle(c *component.Component) {
	c.HandleIQ(xmpp.GetIQ, xml.Name{Space: NS, Local: "ping"}, component.Sync(func(context.Context, component.IQ) component.Answer {
		return component.Done()
	}), NS)
}
