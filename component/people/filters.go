package people

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/forms"
	"rouse/session"
)

// filters is the command push-filters: which device, then what of it.
type filters struct {
	desk Desk
	now  func() time.Time
}

// everything stands for all devices in the field device.
const everything = "all"

func (c filters) step(ctx context.Context, from jid.JID, in forms.Form) (forms.Form, bool, error) {
	account, err := asker(c.desk, from)
	if err != nil {
		return forms.Form{}, false, err
	}
	all, devices, err := c.desk.Choices(ctx, account)
	if err != nil {
		return forms.Form{}, false, err
	}
	if in.Get("device") == "" {
		if len(devices) > 1 {
			return which(devices), false, nil
		}
		return chosen(everything, "all devices", all), false, nil
	}
	one := Device{Name: "all devices", Filter: all}
	if in.Get("device") != everything {
		i := slices.IndexFunc(devices, func(d Device) bool { return handle(d) == in.Get("device") })
		if i < 0 {
			return forms.Form{}, false, refusal(xmpp.Cancel, xmpp.ItemNotFound, ErrNoDevice.Error())
		}
		one = devices[i]
	}
	if in.Values("groups") == nil {
		return chosen(in.Get("device"), one.Name, one.Filter), false, nil
	}
	f, err := read(account, in, one.Filter, c.now())
	if err != nil {
		return forms.Form{}, false, err
	}
	switch err := c.desk.Choose(ctx, account, one.Address, f); {
	case errors.Is(err, ErrNoDevice):
		return forms.Form{}, false, refusal(xmpp.Cancel, xmpp.ItemNotFound, ErrNoDevice.Error())
	case err != nil:
		return forms.Form{}, false, err
	}
	return told(one.Name, f), true, nil
}

// handle names a device in a form.
func handle(d Device) string { return d.Address.Service + " " + d.Address.Node }

func which(devices []Device) forms.Form {
	field := forms.Field{Var: "device", Type: "list-single", Label: "For", Values: []string{everything}, Options: []forms.Option{{Label: "all devices", Value: everything}}}
	for _, d := range devices {
		field.Options = append(field.Options, forms.Option{Label: d.Name, Value: handle(d)})
	}
	return forms.Form{Type: "form", Title: "What my devices are woken for", Fields: []forms.Field{field},
		Instructions: []string{"What you choose for all devices holds for each, beside what you choose for one, and what its app chose."}}
}

var allows = []forms.Option{{Label: "every message", Value: "always"}, {Label: "messages that mention me", Value: "mentioned"}, {Label: "nothing", Value: "never"}}

// chosen is the form to change what is chosen for a device.
func chosen(device, name string, f *session.Filter) forms.Form {
	var now session.Filter
	if f != nil {
		now = *f
	}
	instructions := []string{"Who you chat with is not kept here, only what cannot be read back. So chats can be added and taken away, but not shown."}
	if n := len(now.Muted) + len(now.Rooms); n > 0 {
		instructions = append(instructions, fmt.Sprintf("Muted chats: %d. Rooms with a choice of their own: %d.", len(now.Muted), len(now.Rooms)))
	}
	disturb := []forms.Option{{Label: "no", Value: "no"}}
	if !now.Until.IsZero() {
		disturb = append(disturb, forms.Option{Label: "as it is: until " + now.Until.UTC().Format("2006-01-02 15:04 UTC"), Value: "keep"})
	}
	for _, d := range []string{"1h", "3h", "8h", "24h", "168h"} {
		disturb = append(disturb, forms.Option{Label: map[string]string{"1h": "for an hour", "3h": "for three hours", "8h": "for eight hours", "24h": "for a day", "168h": "for a week"}[d], Value: d})
	}
	grace := ""
	switch {
	case now.Grace < 0:
		grace = "0"
	case now.Grace > 0:
		grace = strconv.Itoa(int(now.Grace / time.Second))
	}
	return forms.Form{Type: "form", Title: "What wakes " + name, Instructions: instructions, Fields: []forms.Field{
		{Var: "device", Type: "hidden", Values: []string{device}},
		{Var: "mute", Type: "jid-multi", Label: "Mute these chats"},
		{Var: "unmute", Type: "jid-multi", Label: "Mute these no more"},
		{Var: "groups", Type: "list-single", Label: "Of rooms I am woken for", Values: []string{now.Groups.String()}, Options: allows},
		{Var: "rooms", Type: "jid-multi", Label: "But of these rooms"},
		{Var: "rooms-allow", Type: "list-single", Label: "for", Values: []string{"always"}, Options: append(slices.Clone(allows), forms.Option{Label: "as of the others", Value: "default"})},
		{Var: "known", Type: "boolean", Label: "Not by people whom I do not have as contacts", Values: []string{truth(now.Known)}},
		{Var: "quiet", Type: "text-single", Label: "Quiet hours, like 22:00-07:00", Values: []string{now.Quiet.String()}},
		{Var: "zone", Type: "text-single", Label: "by the clock of, like Europe/Berlin", Values: []string{now.Quiet.Zone}},
		{Var: "disturb", Type: "list-single", Label: "Do not disturb", Values: []string{map[bool]string{true: "no", false: "keep"}[now.Until.IsZero()]}, Options: disturb},
		{Var: "calls", Type: "boolean", Label: "Calls ring all the same", Values: []string{truth(now.Calls)}},
		{Var: "grace", Type: "text-single", Label: "Seconds to wait whether I read it elsewhere (empty: as the server does)", Values: []string{grace}},
	}}
}

func truth(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// read makes of what was filled in the filter that takes the old one's place.
func read(account string, in forms.Form, old *session.Filter, now time.Time) (*session.Filter, error) {
	var f session.Filter
	if old != nil {
		f = *old
	}
	f.Muted, f.Rooms = slices.Clone(f.Muted), maps.Clone(f.Rooms)
	wrong := func(format string, args ...any) error {
		return refusal(xmpp.Modify, xmpp.NotAcceptable, fmt.Sprintf(format, args...))
	}
	chats := func(field string) (list []string, err error) {
		for _, text := range in.Values(field) {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			j, err := jid.Parse(text)
			if err != nil {
				return nil, wrong("%.60q is not an address", text)
			}
			list = append(list, Chat(account, j.Bare().String()))
		}
		return list, nil
	}
	mute, err := chats("mute")
	if err != nil {
		return nil, err
	}
	unmute, err := chats("unmute")
	if err != nil {
		return nil, err
	}
	rooms, err := chats("rooms")
	if err != nil {
		return nil, err
	}
	for _, chat := range mute {
		if !slices.Contains(f.Muted, chat) {
			f.Muted = append(f.Muted, chat)
		}
	}
	f.Muted = slices.DeleteFunc(f.Muted, func(chat string) bool { return slices.Contains(unmute, chat) })
	for _, room := range rooms {
		if in.Get("rooms-allow") == "default" {
			delete(f.Rooms, room)
			continue
		}
		allow, err := session.ParseAllow(in.Get("rooms-allow"))
		if err != nil {
			return nil, wrong("%v", err)
		}
		if f.Rooms == nil {
			f.Rooms = make(map[string]session.Allow)
		}
		f.Rooms[room] = allow
	}
	if n := len(f.Muted) + len(f.Rooms); n > session.MaxChats {
		return nil, wrong("these are %d chats, %d at most can be kept", n, session.MaxChats)
	}
	if f.Groups, err = session.ParseAllow(in.Get("groups")); err != nil {
		return nil, wrong("%v", err)
	}
	f.Known, f.Calls = is(in.Get("known")), is(in.Get("calls"))
	if f.Quiet, err = session.ParseHours(strings.TrimSpace(in.Get("quiet"))); err != nil {
		return nil, wrong("%v", err)
	}
	if zone := strings.TrimSpace(in.Get("zone")); zone != "" && f.Quiet.String() != "" {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			return nil, wrong("there is no clock of %.60q: write it like Europe/Berlin, or nothing for UTC", zone)
		}
		f.Quiet.Zone = zone
	}
	switch s := in.Get("disturb"); s {
	case "no", "":
		f.Until = time.Time{}
	case "keep":
	default:
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 || d > maxUndisturbed {
			return nil, wrong("%.60q is not how long you are not to be disturbed, like 8h, a week at most", s)
		}
		f.Until = now.Add(d)
	}
	switch s := strings.TrimSpace(in.Get("grace")); s {
	case "":
		f.Grace = 0
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > maxGrace {
			return nil, wrong("%.60q is not a number of seconds, %d at most", s, maxGrace)
		}
		if f.Grace = time.Duration(n) * time.Second; n == 0 {
			f.Grace = -1
		}
	}
	return &f, nil
}

const (
	maxUndisturbed = 7 * 24 * time.Hour
	maxGrace       = 600 // seconds
)

func is(s string) bool { return s == "1" || s == "true" }

// told is what the command ends with.
func told(name string, f *session.Filter) forms.Form {
	line := func(name, label, value string) forms.Field {
		return forms.Field{Var: name, Type: "text-single", Label: label, Values: []string{value}}
	}
	list := []forms.Field{
		line("device", "For", name),
		line("muted", "Muted chats", strconv.Itoa(len(f.Muted))),
		line("groups", "Of rooms", f.Groups.String()),
		line("rooms", "Rooms with a choice of their own", strconv.Itoa(len(f.Rooms))),
		line("known", "Only by contacts", map[bool]string{true: "yes", false: "no"}[f.Known]),
	}
	if f.Quiet.String() != "" {
		zone := f.Quiet.Zone
		if zone == "" {
			zone = "UTC"
		}
		list = append(list, line("quiet", "Quiet hours", f.Quiet.String()+" "+zone))
	}
	return forms.Form{Type: "result", Title: "That is kept", Fields: list}
}
