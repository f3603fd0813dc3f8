package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"rouse/component/people"
	"rouse/gateway"
	"rouse/session"
)

// peopleDesk answers the commands that persons give in chat.
type peopleDesk struct{ *app }

// Ours is part of people.Desk.
func (d peopleDesk) Ours(account string) bool { return d.gateway.Ours(account) }

// Choices is part of people.Desk.
func (d peopleDesk) Choices(ctx context.Context, account string) (*session.Filter, []people.Device, error) {
	f, devices, err := d.gateway.Choices(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	var list []people.Device
	for _, one := range devices {
		r := reportDevice(d.cfg.Load(), one, time.Now())
		name := deviceName(&r)
		if r := one.Endpoint.Resource; r != "" {
			name += ", " + r
		}
		list = append(list, people.Device{Address: session.Address{Service: one.Service, Node: one.Node}, Name: name, Filter: one.Endpoint.Filter})
	}
	return f, list, nil
}

// Choose is part of people.Desk.
func (d peopleDesk) Choose(ctx context.Context, account string, device session.Address, f *session.Filter) error {
	err := d.gateway.Choose(ctx, account, device, f)
	if errors.Is(err, gateway.ErrUnknown) {
		return people.ErrNoDevice
	}
	return err
}

// toldInChat bounds, in lines, what one answer has: the newest are told.
const toldInChat = 300

// Explain is part of people.Desk.
func (d peopleDesk) Explain(ctx context.Context, account, stanza string, clock string) ([]string, error) {
	cfg, now := d.cfg.Load(), time.Now()
	since := now.Add(-24 * time.Hour)
	if stanza != "" {
		since = time.Time{}
	}
	record, err := d.gateway.RecordOf(ctx, account, since)
	if err != nil {
		return nil, err
	}
	r := reportRecord(cfg, record, now)
	if !r.Known && len(r.Devices) == 0 {
		return nil, people.ErrUnknown
	}
	var out bytes.Buffer
	t := newNarrator(&out, false, cmp.Or(zone(strings.TrimSpace(clock)), time.UTC))
	t.know(r.Devices)
	if stanza != "" {
		found, err := t.stanza(serviceOf(cfg), stanza, r)
		if !found && err == nil {
			out.WriteString(noStanza)
		}
		return lines(out.String()), err
	}
	for i := range r.Devices {
		one := &r.Devices[i]
		out.WriteString(deviceName(one) + ": " + standing(one) + "\n")
	}
	if len(r.Reasons) == 0 {
		out.WriteString("nothing was decided in the last 24 hours\n")
	}
	err = t.tell(r.Reasons)
	list := lines(out.String())
	if n := len(list) - toldInChat; n > 0 {
		list = append([]string{"… only the newest lines are here"}, list[n:]...)
	}
	return list, err
}

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
