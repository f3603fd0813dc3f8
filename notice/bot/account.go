package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rouse/component/people"
	"rouse/session"
)

func (b *Bot) devices(ctx context.Context, c call) (string, error) {
	return b.devicesOf(ctx, c.from)
}

func (b *Bot) devicesOf(ctx context.Context, account string) (string, error) {
	lines, err := b.cfg.Desk.Devices(ctx, account)
	if err == nil && len(lines) == 0 {
		return "There are no devices that rouse could wake.", nil
	}
	return strings.Join(lines, "\n"), err
}

// maxMute is how long somebody may not be disturbed at once.
const maxMute = 7 * 24 * time.Hour

// ours wants that wakes of the account are decided here.
func (b *Bot) ours(c call) error {
	if !b.cfg.Desk.Ours(c.from) {
		return wrongf("Wakes of %s are not decided here.", c.from)
	}
	return nil
}

func (b *Bot) mute(ctx context.Context, c call) (string, error) {
	if err := b.ours(c); err != nil {
		return "", err
	}
	f, err := b.filter(ctx, c.from)
	if err != nil {
		return "", err
	}
	switch {
	case len(c.args) == 0 && f.Until.After(b.cfg.Now()):
		return "Your devices are not woken until " + clock(f.Until, f.Quiet.Zone) + ".", nil
	case len(c.args) == 0:
		return "Your devices are woken. mute 2h: not for two hours.", nil
	case len(c.args) == 1 && strings.EqualFold(c.args[0], "off"):
		f.Until = time.Time{}
		return "Your devices are woken again.", b.cfg.Desk.Choose(ctx, c.from, session.Address{}, &f)
	}
	d, err := parseDuration(strings.Join(c.args, ""))
	if err != nil || d <= 0 || d > maxMute {
		return "", wrongf("%.40q is not how long, like 30m, 2h or 3d; a week at most.", c.rest)
	}
	f.Until = b.cfg.Now().Add(d)
	return "Your devices are not woken until " + clock(f.Until, f.Quiet.Zone) + ". mute off ends it.", b.cfg.Desk.Choose(ctx, c.from, session.Address{}, &f)
}

// filter is what an account chose for all of its devices.
func (b *Bot) filter(ctx context.Context, account string) (session.Filter, error) {
	f, _, err := b.cfg.Desk.Choices(ctx, account)
	if err != nil || f == nil {
		return session.Filter{}, err
	}
	return *f, nil
}

var days = regexp.MustCompile(`^(\d{1,3})d$`)

// parseDuration reads 30m, 2h, 3d, or 1h30m.
func parseDuration(s string) (time.Duration, error) {
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(strings.ToLower(s))
}

// clock tells a time by somebody's clock.
func clock(t time.Time, zone string) string {
	at, err := time.LoadLocation(zone)
	if err != nil {
		at = time.UTC
	}
	return t.In(at).Format("Mon 2006-01-02 15:04 MST")
}

var shortHours = regexp.MustCompile(`^(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?$`)

func (b *Bot) quiet(ctx context.Context, c call) (string, error) {
	if err := b.ours(c); err != nil {
		return "", err
	}
	f, err := b.filter(ctx, c.from)
	if err != nil {
		return "", err
	}
	switch {
	case len(c.args) == 0 && f.Quiet.String() != "":
		return "Your devices are not woken at " + hours(f.Quiet) + ".", nil
	case len(c.args) == 0:
		return "You chose no quiet hours. quiet 22-7 Europe/Berlin: not at night.", nil
	case len(c.args) == 1 && strings.EqualFold(c.args[0], "off"):
		f.Quiet = session.Hours{Zone: f.Quiet.Zone}
		return "You have no quiet hours any more.", b.cfg.Desk.Choose(ctx, c.from, session.Address{}, &f)
	}
	m := shortHours.FindStringSubmatch(c.args[0])
	if m == nil {
		return "", wrongf("%.40q are no hours, like 22-7 or 22:30-06:00.", c.args[0])
	}
	two := func(hour, minute string) string {
		n, _ := strconv.Atoi(hour)
		if minute == "" {
			minute = "00"
		}
		return fmt.Sprintf("%02d:%s", n, minute)
	}
	h, err := session.ParseHours(two(m[1], m[2]) + "-" + two(m[3], m[4]))
	if err != nil || h.String() == "" {
		return "", wrongf("%.40q are no hours of a day, like 22-7 or 22:30-06:00.", c.args[0])
	}
	h.Zone = f.Quiet.Zone
	if len(c.args) > 1 {
		if _, err := time.LoadLocation(c.args[1]); err != nil || strings.EqualFold(c.args[1], "local") {
			return "", wrongf("There is no clock of %.40q: write it like Europe/Berlin.", c.args[1])
		}
		h.Zone = c.args[1]
	}
	f.Quiet = h
	return "Your devices are not woken at " + hours(h) + ".", b.cfg.Desk.Choose(ctx, c.from, session.Address{}, &f)
}

func hours(h session.Hours) string {
	zone := h.Zone
	if zone == "" {
		zone = "UTC"
	}
	return h.String() + " " + zone
}

// toldLately is how many of what somebody was told why shows.
const toldLately = 5

func (b *Bot) why(ctx context.Context, c call) (string, error) {
	var out []string
	if b.cfg.Desk.Ours(c.from) {
		f, err := b.filter(ctx, c.from)
		if err != nil {
			return "", err
		}
		text, err := b.timeline(ctx, c.from, strings.Join(c.args, " "), f.Quiet.Zone)
		switch {
		case errors.Is(err, people.ErrUnknown):
			text = "Nothing is known of devices of yours."
		case err != nil:
			return "", err
		}
		out = append(out, text)
	}
	if b.cfg.Outbox == nil || len(c.args) > 0 {
		return strings.Join(out, "\n"), nil
	}
	list, err := b.cfg.Outbox.Of(ctx, c.from, toldLately)
	if err != nil {
		return "", err
	}
	if len(list) > 0 {
		out = append(out, "What you were told:")
	}
	for _, d := range list {
		out = append(out, delivered(d)+" "+d.Text)
	}
	return strings.Join(out, "\n"), nil
}

// maxTimeline bounds an answer, in lines: the newest are told.
const maxTimeline = 40

func (b *Bot) timeline(ctx context.Context, account, stanza, zone string) (string, error) {
	lines, err := b.cfg.Desk.Explain(ctx, account, stanza, zone)
	if err != nil {
		return "", err
	}
	if n := len(lines) - maxTimeline; n > 0 {
		lines = append([]string{"… only the newest lines are here"}, lines[n:]...)
	}
	return strings.Join(lines, "\n"), nil
}
