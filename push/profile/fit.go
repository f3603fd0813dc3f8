package profile

import (
	"fmt"
	"sort"

	"rouse/push"
)

// What providers take at most, in bytes.
const (
	AppleLimit  = 4096 // of JSON
	VoIPLimit   = 5120
	GoogleLimit = 4096 // of keys and values of data, and of what is shown
	WebLimit    = 3993 // before encryption (RFC 8291 §4: 4096 with header, padding and tag)
)

// steps are what is given up of a push that is too large, in this order: first
// the text is cut, then what the app can do without, last what it can fetch from
// its server only with more effort. The account stays, or nobody is woken.
var steps = []func(c *push.Content){
	func(c *push.Content) { c.Body = "" },
	func(c *push.Content) { c.Nickname = "" },
	func(c *push.Content) { c.Sender = "" },
	func(c *push.Content) { c.Encrypted, c.IV = "", "" }, // half a ciphertext is of no use
	func(c *push.Content) { c.Channel = "" },
}

const ellipsis = "…"

// fit gives up content until the push is no larger than the limit.
func fit(n push.Notification, limit int, size func(push.Notification) int) (push.Notification, error) {
	if size(n) <= limit {
		return n, nil
	}
	if cut, ok := cutBody(n, limit, size); ok {
		return cut, nil
	}
	for _, give := range steps {
		give(&n.Content)
		if size(n) <= limit {
			return n, nil
		}
	}
	return n, fmt.Errorf("a payload of %d bytes, with nothing in it but the wake, is more than the %d that the provider takes", size(n), limit)
}

// cutBody keeps as much of the text as there is room for.
func cutBody(n push.Notification, limit int, size func(push.Notification) int) (push.Notification, bool) {
	body := n.Content.Body
	fits := func(bytes int) bool { // and leaves the text as it was tried
		n.Content.Body = body[:bytes] + ellipsis
		return size(n) <= limit
	}
	if body == "" || !fits(0) {
		return n, false
	}
	var cuts []int
	for at := range body {
		cuts = append(cuts, at)
	}
	most := sort.Search(len(cuts), func(i int) bool { return !fits(cuts[i]) }) // the first does
	fits(cuts[most-1])
	return n, true
}
