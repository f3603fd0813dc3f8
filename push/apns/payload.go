package apns

import (
	"time"

	"github.com/sideshow/apns2"

	"rouse/push"
	"rouse/push/profile"
)

// build makes the notification around its payload.
func (p *Provider) build(n push.Notification, content profile.ApplePush, now time.Time) *apns2.Notification {
	out := &apns2.Notification{
		ApnsID:      n.ID,
		DeviceToken: content.Token,
		Topic:       p.opts.Topic,
		CollapseID:  n.Collapse,
		Expiration:  expiration(n, now),
		Priority:    apns2.PriorityHigh,
		PushType:    apns2.EPushType(content.Kind),
		Payload:     content.Payload,
	}
	if content.Kind == profile.VoIP {
		out.Topic += ".voip"
	}
	if !n.Class.Importance().Urgent {
		out.Priority = apns2.PriorityLow
	}
	return out
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
