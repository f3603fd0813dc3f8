package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/stanza"
	"rouse/notice/bot"
	"rouse/notice/chat"
	"rouse/web"
)

// botDesk answers what the bot asks.
type botDesk struct{ peopleDesk }

// IsAdmin is part of bot.Desk.
func (d botDesk) IsAdmin(account string) bool {
	if d.herald != nil {
		return d.herald.isAdmin(account)
	}
	c := d.cfg.Load().Component
	return c != nil && slices.Contains(c.Admins, account)
}

// Status is part of bot.Desk.
func (d botDesk) Status(ctx context.Context, admin bool) ([]string, error) {
	s := d.status()
	list := []string{fmt.Sprintf("rouse %s, up for %s", release, age(time.Since(d.started)))}
	if !admin {
		return list, nil
	}
	part := func(p web.Part) {
		line := p.Name + ": " + string(p.State)
		if p.Cause != "" {
			line += ", " + p.Cause
		}
		list = append(list, line)
	}
	part(s.Store)
	part(s.Link)
	for _, p := range s.Apps {
		part(p)
	}
	if d.herald == nil {
		return list, nil
	}
	if w := d.herald.watch; w != nil {
		switch s := w.follower.Status(); {
		case s.Server != "":
			list = append(list, fmt.Sprintf("directory: followed on %s, %d users", s.Server, s.Users))
		default:
			list = append(list, fmt.Sprintf("directory: not followed now, %d users known", s.Users))
		}
	}
	c, err := d.herald.outbox.Counts(ctx)
	return append(list, fmt.Sprintf("notices: %d wait, %d were told, %d failed", c.Waiting+c.Unplanned, c.Told, c.Failed)), err
}

// Devices is part of bot.Desk.
func (d botDesk) Devices(ctx context.Context, account string) (list []string, err error) {
	devices, err := d.gateway.DevicesOf(ctx, account)
	for _, one := range devices {
		r := reportDevice(d.cfg.Load(), one, time.Now())
		list = append(list, deviceName(&r)+": "+standing(&r))
	}
	return list, err
}

// newBot makes the one that answers in chat.
func newBot(a *app) *bot.Bot {
	c := bot.Config{Desk: botDesk{peopleDesk{a}}, NewID: newID, Now: time.Now, Logger: a.log}
	if h := a.herald; h != nil {
		c.Outbox, c.Fresh, c.Except = h.outbox, h.dispatch.Poke, h.cfg.Notices.Except
	}
	return bot.New(c)
}

// hear takes messages and presences: what people write to the bot, what comes back of
// what they were told, and what rooms say.
func (a *app) hear(c *component.Component, b *bot.Bot) {
	c.HandleMessage(func(ctx context.Context, m component.Message) {
		if h := a.herald; h != nil {
			if h.rooms != nil && h.rooms.Message(m.From, &m.Stanza) {
				return
			}
			if id, why, ok := chat.Bounced(&m.Stanza); ok {
				known, err := h.outbox.Bounce(ctx, id, m.From.Bare().String(), why, h.now())
				if err != nil || known {
					a.log.Warn("what somebody was told came back", "id", id, "why", why, "err", err)
				}
				return
			}
		}
		body := bodyOf(&m.Stanza)
		if body == "" || m.Type != "" && m.Type != "chat" && m.Type != "normal" {
			return
		}
		text := b.Answer(ctx, m.From.Bare().String(), body)
		if text == "" {
			a.log.Debug("somebody who is nobody of ours wrote, not answered", "from", m.From.Domainpart())
			return
		}
		if err := c.Send(ctx, chat.Message(m.To.String(), m.From.String(), newID(), text)); err != nil {
			a.log.Warn("the bot's answer could not be sent", "err", err)
		}
	})
	c.HandlePresence(func(ctx context.Context, p component.Message) {
		if h := a.herald; h != nil && h.rooms != nil && h.rooms.Presence(p.From, &p.Stanza) {
			return
		}
		if !b.Knows(p.From.Bare().String()) {
			return
		}
		var err error
		switch p.Type { // who has the bot as a contact sees that it is there (RFC 6121 §3.1, §4.3)
		case "subscribe":
			err = presence(ctx, c, p.To, p.From.Bare(), "subscribed")
			if err == nil {
				err = presence(ctx, c, p.To, p.From, "")
			}
		case "probe":
			err = presence(ctx, c, p.To, p.From, "")
		}
		if err != nil {
			a.log.Debug("a presence could not be answered", "err", err)
		}
	})
}

func presence(ctx context.Context, c *component.Component, from, to jid.JID, kind string) error {
	e := stanza.Element{Name: "presence", Attr: []stanza.Attr{{Name: "from", Value: from.Bare().String()}, {Name: "to", Value: to.String()}}}
	if kind != "" {
		e.Attr = append(e.Attr, stanza.Attr{Name: "type", Value: kind})
	}
	return c.Send(ctx, e)
}

// bodyOf is the text of a message.
func bodyOf(e *stanza.Element) string {
	for i := range e.Children {
		if e.Children[i].Is(stanza.NSClient, "body") {
			return e.Children[i].Text
		}
	}
	return ""
}
