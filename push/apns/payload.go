package apns

import (
	"encoding/json"
	"time"

	"github.com/sideshow/apns2"

	"rouse/push"
	"rouse/session"
)

// What Apple takes at most, in bytes of JSON.
const (
	maxPayload     = 4096
	maxVoIPPayload = 5120
)

// message is the payload: Apple's dictionary, and account for the app.
type message struct {
	APS     aps    `json:"aps"`
	Account string `json:"account"`
}

type aps struct {
	Alert            *alert `json:"alert,omitempty"`
	Sound            string `json:"sound,omitempty"`
	MutableContent   int    `json:"mutable-content,omitempty"`
	ContentAvailable int    `json:"content-available,omitempty"`
}

type alert struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// texts are shown when the app's notification extension does not replace them.
var texts = map[session.Class]alert{
	session.Subscription: {Title: "New contact", Body: "Somebody wants to be your contact"},
	session.Group:        {Title: "New message", Body: "There is something new in a group"},
	session.Mention:      {Title: "New message", Body: "Somebody named you in a group"},
	session.Message:      {Title: "New message", Body: "You have a new message"},
	session.Call:         {Title: "Call", Body: "Somebody is calling you"},
}

// build makes the notification. A shown alert with mutable-content is what runs
// the app's notification extension; content-available alone never does.
func (p *Provider) build(n push.Notification, now time.Time) (*apns2.Notification, error) {
	out := &apns2.Notification{
		ApnsID:      n.ID,
		DeviceToken: n.Target.Token,
		Topic:       p.opts.Topic,
		CollapseID:  n.Collapse,
		Expiration:  expiration(n, now),
		Priority:    apns2.PriorityHigh,
		PushType:    apns2.PushTypeAlert,
	}
	m := message{Account: n.Target.Device}
	switch text, shown := texts[n.Class]; {
	case n.Class == session.Call && p.opts.VoIP:
		out.Topic += ".voip"
		out.PushType = apns2.PushTypeVOIP
	case shown:
		m.APS = aps{Alert: &text, Sound: "default", MutableContent: 1}
	default:
		m.APS = aps{ContentAvailable: 1}
		out.Priority = apns2.PriorityLow
		out.PushType = apns2.PushTypeBackground
	}
	body, err := json.Marshal(m)
	out.Payload = body
	return out, err
}

// expiration is never absent: without one Apple tries once and forgets the push.
func expiration(n push.Notification, now time.Time) time.Time {
	e := n.Expires
	if e.IsZero() {
		e = push.Expiry(n.Class, now)
	}
	if e.Unix() < 1 {
		e = time.Unix(1, 0) // apns2 leaves out what is not after 1970
	}
	return e
}

func limit(n *apns2.Notification) int {
	if n.PushType == apns2.PushTypeVOIP {
		return maxVoIPPayload
	}
	return maxPayload
}
