package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"rouse/component/stanza"
	"rouse/servers/lab"
)

// TestLastStanzaArrives: the parser of Prosody and ejabberd (expat, with the
// mend of CVE-2023-52425) does not look again at a tag that it has in part until
// it has twice as much. A stanza with nothing behind it must get through all the
// same, however the server's reads cut it.
func TestLastStanzaArrives(t *testing.T) {
	other := lab.Component{JID: "other.test", Secret: "other"}
	both(t, wish{alone: true, components: []lab.Component{other}}, func(t *testing.T, p *play) {
		link := p.another(other, 0)
		p.connects(link)
		const read = 8192 // bytes that Prosody reads at once
		for _, tag := range []int{400, 5000, 9000} {
			for cut := range 16 { // where in the tag a read ends
				before := read*2 - tag*cut/16 - 200
				iq := stanza.Element{Name: "iq", Attr: []stanza.Attr{{Name: "type", Value: "get"}, {Name: "to", Value: other.JID}},
					Children: []stanza.Element{{Space: "urn:example:cut", Name: "cut", Text: strings.Repeat("x", before),
						Children: []stanza.Element{{Name: "tag", Attr: []stanza.Attr{{Name: "long", Value: strings.Repeat("y", tag)}}}}}}}
				ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
				_, err := link.Request(ctx, iq)
				late := ctx.Err()
				cancel()
				if late != nil {
					t.Fatalf("a stanza that ends in a tag of %d bytes, behind %d, did not arrive: %v", tag, before, err)
				}
			}
		}
	})
}
