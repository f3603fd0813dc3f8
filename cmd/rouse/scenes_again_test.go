package main

import (
	"encoding/json"
	"net/http"
	"strings"
)

// expected waits until a device was woken again that did not come back, or until one
// that was is known to be there and nothing is owed any more.
func (p *play) expected(what string) {
	p.t.Helper()
	switch what {
	case "is woken again":
		p.must(p.await(p.ctx, "a wake for what was sent before", func() bool {
			return p.decisions()["none sent"] > 0 && len(p.woken()) > p.owed()
		}))
	case "is back":
		p.must(p.await(p.ctx, "the device to be back, and nothing to be owed", func() bool {
			for k := range p.decisions() {
				if strings.HasSuffix(k, " back") {
					return p.pending() == 0
				}
			}
			return false
		}))
	}
}

// pending is how many wakes are owed.
func (p *play) pending() int {
	p.t.Helper()
	resp, err := http.Get("http://" + p.web + "/status.json")
	p.must(err)
	defer resp.Body.Close()
	var status struct {
		Pending int `json:"pending"`
	}
	p.must(json.NewDecoder(resp.Body).Decode(&status))
	return status.Pending
}
