package webpush

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"rouse/push"
	"rouse/session"
)

// message is what the app gets: account as in the data of FCM, and how many
// stanzas the wake stands for.
type message struct {
	Account string `json:"account"`
	Count   int    `json:"count"`
}

func payload(n push.Notification) ([]byte, error) {
	return json.Marshal(message{Account: n.Target.Device, Count: n.Count})
}

// header says how the wake is to be treated (RFC 8030 §5).
func header(n push.Notification, now time.Time) http.Header {
	h := http.Header{
		"Content-Type":     {"application/octet-stream"},
		"Content-Encoding": {"aes128gcm"},
		"Ttl":              {strconv.FormatInt(int64(ttl(n, now)/time.Second), 10)},
		"Urgency":          {urgency(n.Class)},
	}
	if t := topic(n.Collapse); t != "" {
		h["Topic"] = []string{t}
	}
	return h
}

// ttl is never 0: such a message reaches only devices that are connected now.
func ttl(n push.Notification, now time.Time) time.Duration {
	expires := n.Expires
	if expires.IsZero() {
		expires = push.Expiry(n.Class, now)
	}
	return min(max(expires.Sub(now).Round(time.Second), time.Second), session.Life)
}

// urgency is high for everything but a silent wake: what is less waits for a
// device that is charging, or for the end of Doze (RFC 8030 §5.3).
func urgency(c session.Class) string {
	if !c.Importance().Urgent {
		return "low"
	}
	return "high"
}

var topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// topic makes of a collapse value what RFC 8030 §5.4 allows: up to 32 characters
// of base64url.
func topic(collapse string) string {
	if collapse == "" || topicForm.MatchString(collapse) {
		return collapse
	}
	sum := sha256.Sum256([]byte(collapse))
	return base64url.EncodeToString(sum[:])[:32]
}
