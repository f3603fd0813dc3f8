package version

import (
	"context"
	"encoding/xml"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/stanza"
)

// NS is the namespace of XEP-0092, and its feature.
const NS = "jabber:iq:version"

// Info is what is told. An empty OS is left out.
type Info struct{ Name, Version, OS string }

// Handle has c answer queries of its version.
func Handle(c *component.Component, info Info) {
	answer := component.Result(info.element())
	c.HandleIQ(xmpp.GetIQ, xml.Name{Space: NS, Local: "query"}, component.Sync(func(context.Context, component.IQ) component.Answer {
		return answer
	}), NS)
}

func (i Info) element() stanza.Element {
	e := stanza.Element{Space: NS, Name: "query", Children: []stanza.Element{
		{Space: NS, Name: "name", Text: i.Name},
		{Space: NS, Name: "version", Text: i.Version},
	}}
	if i.OS != "" {
		e.Children = append(e.Children, stanza.Element{Space: NS, Name: "os", Text: i.OS})
	}
	return e
}
