package people_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/adhoc"
	"rouse/component/componenttest"
	"rouse/component/forms"
	"rouse/component/people"
	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	now    = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	phone  = session.Address{Service: "push.example.org", Node: "n1"}
	tablet = session.Address{Service: "push.example.org", Node: "n2"}
)

// desk is a desk of example.org with juliet's phone, and her tablet where she has two.
type desk struct {
	all, phone *session.Filter
	two        bool
	asked      string
}

func (*desk) Ours(account string) bool { return strings.HasSuffix(account, "@example.org") }

func (d *desk) Choices(context.Context, string) (*session.Filter, []people.Device, error) {
	list := []people.Device{{Address: phone, Name: "chat-ios n1, phone", Filter: d.phone}}
	if d.two {
		list = append(list, people.Device{Address: tablet, Name: "chat-ios n2, tablet"})
	}
	return d.all, list, nil
}

func (d *desk) Choose(_ context.Context, _ string, device session.Address, f *session.Filter) error {
	switch device {
	case session.Address{}:
		d.all = f
	case phone:
		d.phone = f
	default:
		return people.ErrNoDevice // it went while she was choosing
	}
	return nil
}

func (d *desk) Explain(_ context.Context, account, stanza, zone string) ([]string, error) {
	d.asked = strings.Join([]string{account, stanza, zone}, " ")
	if account == "nobody@example.org" {
		return nil, people.ErrUnknown
	}
	return []string{"12:00:00  a message was archived", "          woken"}, nil
}

// step gives what a command makes of what was filled in.
func step(t *testing.T, d *desk, node, from string, fill ...string) (forms.Form, bool, error) {
	t.Helper()
	list := people.Commands(d, []string{"admin@example.org"}, func() time.Time { return now })
	i := slices.IndexFunc(list, func(c adhoc.Command) bool { return c.Node == node })
	in := forms.Form{Type: "submit"}
	for i := 0; i < len(fill); i += 2 {
		in.Fields = append(in.Fields, forms.Field{Var: fill[i], Values: strings.Split(fill[i+1], "|")})
	}
	return list[i].Steps(t.Context(), jid.MustParse(from), in)
}

const juliet = "juliet@example.org/balcony"

func TestChoose(t *testing.T) {
	d := &desk{}
	form, done, err := step(t, d, people.Filters, juliet)
	if err != nil || done || form.Get("device") != "all" || form.Get("groups") != "always" || form.Get("disturb") != "no" {
		t.Fatalf("first: %+v, %v, %v", form, done, err)
	}
	romeo, hall := people.Chat("juliet@example.org", "romeo@example.net"), people.Chat("juliet@example.org", "hall@rooms.example")
	form, done, err = step(t, d, people.Filters, juliet, "device", "all", "mute", "Romeo@example.net/orchard", "groups", "mentioned",
		"rooms", "hall@rooms.example", "rooms-allow", "never", "known", "1", "quiet", "22:00-07:00", "zone", "Europe/Berlin", "disturb", "8h", "calls", "true", "grace", "0")
	if err != nil || !done || form.Get("muted") != "1" {
		t.Fatalf("chosen: %+v, %v, %v", form, done, err)
	}
	want := &session.Filter{Muted: []string{romeo}, Rooms: map[string]session.Allow{hall: session.Never}, Groups: session.Mentioned, Known: true,
		Quiet: session.Hours{From: 22 * 60, To: 7 * 60, Zone: "Europe/Berlin"}, Until: now.Add(8 * time.Hour), Calls: true, Grace: -1}
	if !reflect.DeepEqual(d.all, want) {
		t.Errorf("kept is %+v, want %+v", d.all, want)
	}

	form, _, err = step(t, d, people.Filters, juliet)
	if err != nil || form.Get("groups") != "mentioned" || form.Get("disturb") != "keep" || form.Get("quiet") != "22:00-07:00" || form.Get("known") != "1" || form.Get("grace") != "0" ||
		!strings.Contains(strings.Join(form.Instructions, " "), "Muted chats: 1") {
		t.Errorf("shown again: %+v, %v", form, err)
	}
	_, done, err = step(t, d, people.Filters, juliet, "device", "all", "unmute", "romeo@example.net", "groups", "always", "rooms", "hall@rooms.example", "rooms-allow", "default", "disturb", "keep", "quiet", "", "grace", "")
	if want := (&session.Filter{Muted: []string{}, Rooms: map[string]session.Allow{}, Until: now.Add(8 * time.Hour)}); err != nil || !done || !reflect.DeepEqual(d.all, want) {
		t.Errorf("taken back: %+v, %v, %v", d.all, done, err)
	}
	if _, done, err = step(t, d, people.Filters, juliet, "device", "all", "groups", "always", "disturb", "no"); err != nil || !done || !d.all.Empty() {
		t.Errorf("nothing is left: %+v, %v, %v", d.all, done, err)
	}
}

func TestChooseForOne(t *testing.T) {
	d := &desk{two: true}
	form, done, err := step(t, d, people.Filters, juliet)
	if err != nil || done || len(form.Fields) != 1 || len(form.Fields[0].Options) != 3 {
		t.Fatalf("which: %+v, %v, %v", form, done, err)
	}
	name := form.Fields[0].Options[1].Value
	if form, done, err = step(t, d, people.Filters, juliet, "device", name); err != nil || done || form.Get("device") != name || form.Title != "What wakes chat-ios n1, phone" {
		t.Fatalf("what: %+v, %v, %v", form, done, err)
	}
	if _, done, err = step(t, d, people.Filters, juliet, "device", name, "groups", "never"); err != nil || !done || d.all != nil || d.phone == nil || d.phone.Groups != session.Never {
		t.Errorf("kept is %+v and %+v, %v, %v", d.all, d.phone, done, err)
	}
	for _, gone := range []string{"push.example.org n3", "push.example.org n2"} {
		_, _, err = step(t, d, people.Filters, juliet, "device", gone, "groups", "never")
		if se := new(xmpp.Error); !errors.As(err, se) || se.Condition != xmpp.ItemNotFound {
			t.Errorf("%s: %v", gone, err)
		}
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	many := strings.TrimSuffix(manyChats(), "|")
	for _, c := range []struct {
		from string
		fill []string
		want xmpp.Condition
	}{
		{"juliet@example.com/p", nil, xmpp.Forbidden},
		{"example.org", nil, xmpp.Forbidden},
		{juliet, []string{"device", "all", "groups", "some"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "mute", "@"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "rooms", "a@b", "rooms-allow", "sometimes"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "quiet", "at night"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "quiet", "22:00-07:00", "zone", "Verona"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "disturb", "forever"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "disturb", "1000h"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "grace", "601"}, xmpp.NotAcceptable},
		{juliet, []string{"device", "all", "groups", "always", "mute", many}, xmpp.NotAcceptable},
	} {
		d := &desk{}
		_, _, err := step(t, d, people.Filters, c.from, c.fill...)
		if se := new(xmpp.Error); !errors.As(err, se) || se.Condition != c.want || se.Text[""] == "" {
			t.Errorf("%s %.80v: %v, want %s", c.from, c.fill, err, c.want)
		}
		if d.all != nil {
			t.Errorf("%.80v: kept all the same", c.fill)
		}
	}
}

func manyChats() string {
	var b strings.Builder
	for i := range 201 {
		b.WriteString("n" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "@example.net|")
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		from  string
		fill  []string
		asked string
		err   xmpp.Condition
	}{
		{juliet, []string{"stanza", "m1", "zone", "Europe/Berlin"}, "juliet@example.org m1 Europe/Berlin", ""},
		{juliet, []string{"account", "juliet@example.org", "stanza", ""}, "juliet@example.org  ", ""},
		{juliet, []string{"account", "romeo@example.org"}, "", xmpp.Forbidden},
		{"juliet@example.com/p", nil, "", xmpp.Forbidden},
		{"admin@example.org/desk", []string{"account", "Romeo@example.net/orchard"}, "romeo@example.net  ", ""},
		{"admin@example.org/desk", []string{"account", "example.net"}, "", xmpp.NotAcceptable},
		{"admin@example.org/desk", []string{"account", "nobody@example.org"}, "nobody@example.org  ", xmpp.ItemNotFound},
	} {
		d := &desk{}
		form, done, err := step(t, d, people.Explain, c.from, c.fill...)
		se := new(xmpp.Error)
		if errors.As(err, se); se.Condition != c.err || d.asked != c.asked || c.err == "" && (!done || len(form.Values("timeline")) != 2) {
			t.Errorf("%s %v: %+v, %v, asked %q", c.from, c.fill, form, err, d.asked)
		}
	}
	for from, fields := range map[string]int{juliet: 2, "admin@example.org/desk": 3} {
		if form, done, err := step(t, &desk{}, people.Explain, from); err != nil || done || len(form.Fields) != fields {
			t.Errorf("%s is asked %+v, %v", from, form, err)
		}
	}
}

func TestDialogues(t *testing.T) {
	componenttest.Run(t, "testdata/*.txtar", func(t *testing.T) *componenttest.Link {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c, err := component.New(component.Config{JID: jid.MustParse("push.example.org"), Addresses: []string{s.Address()},
			Secret: component.StaticSecret(componenttest.Secret), Dial: s.Dial})
		if err != nil {
			t.Fatal(err)
		}
		adhoc.Handle(c, slog.New(slog.DiscardHandler), people.Commands(&desk{two: true}, nil, func() time.Time { return now })...)
		return s.Start(t, c)
	})
}
