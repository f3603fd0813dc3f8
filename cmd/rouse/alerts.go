package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"rouse/config"
	"rouse/notice/chat"
	"rouse/notice/outbox"
	"rouse/push"
	"rouse/session"
)

// deviceSender shows notices on the devices of an account whose apps do that
// (app.alerts); it tells those in chat who have none.
type deviceSender struct {
	a    *app
	chat *chat.Sender
}

// alertFor is how long a provider keeps an alert for a device that is away.
const alertFor = 3 * 24 * time.Hour

// Send is part of dispatch.Sender.
func (s *deviceSender) Send(ctx context.Context, d outbox.Delivery) error {
	devices, err := s.a.gateway.DevicesOf(ctx, d.Address)
	if err != nil {
		return fmt.Errorf("device: %w", err)
	}
	cfg := s.a.cfg.Load()
	shown := 0
	var later error
	for _, one := range devices {
		i := slices.IndexFunc(cfg.Apps, func(a config.App) bool { return a.Name == one.App && a.Alerts })
		app, ok := s.a.apps[one.App]
		if i < 0 || !ok || !one.Live() || one.Token == "" {
			continue
		}
		now := time.Now()
		n := push.NotificationOf(session.Job{
			Owner: d.Address, ID: alertID(d.Notice.ID, one.Node), Target: one.Registration, Wake: session.Wake{Count: 1, Since: now, Due: now},
			Key:     session.WakeKey{Address: session.Address{Service: one.Service, Node: one.Node}, Class: session.Message},
			Content: &session.Content{Notice: true, Sender: cmp.Or(d.Notice.Subject, d.Notice.Kind), Body: d.Text},
		})
		n.Collapse, n.Expires = d.Notice.ID, now.Add(alertFor) // one does not take the place of another
		try, cancel := context.WithTimeout(ctx, cmp.Or(app.Timeout, push.DefaultTimeout))
		r := app.Provider.Send(try, n)
		cancel()
		switch {
		case r.Outcome == push.Delivered:
			shown++
		case r.Outcome == push.Unavailable || r.Outcome == push.RateLimited || r.Outcome.Stops():
			later = errors.Join(later, fmt.Errorf("device: %s: %s", app.Kind, r.Reason))
		default: // the device's next wake finds out the same, and says what to do
			s.a.log.Warn("a notice is not shown on a device", "app", one.App, "reason", r.Reason, "err", r.Err)
		}
	}
	switch {
	case shown > 0:
		return nil
	case later != nil && time.Since(d.Notice.At) < alertFor/36: // two hours
		return later
	case !s.a.linked():
		return errors.Join(later, errors.New("device: none shows notices, and there is no link to tell it in chat"))
	}
	return s.chat.Send(ctx, d)
}

// alertID is a UUID that stays the same over all tries of an alert.
func alertID(id, node string) string {
	b := sha256.Sum256([]byte(id + "\x00" + node))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
