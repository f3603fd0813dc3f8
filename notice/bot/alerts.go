package bot

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

const alertsHelp = `alerts - what you chose
alerts on | off - in chat
alerts device on | off - on your devices, if their app shows that
alerts add RULES - also what that is true of; alerts device add RULES
alerts remove 2 - the second line no more; alerts device remove 2
alerts reset - as for those who chose nothing
alerts try RULES - which of the latest events that would have been
alerts rules - what rules there are
One line is enough for you to be told, and all rules in it have to be true: alerts add kind password.*, severity warning`

func (b *Bot) alerts(ctx context.Context, c call) (string, error) {
	p, err := b.cfg.Outbox.Preferences(ctx, c.from)
	if err != nil {
		return "", err
	}
	name, args, rest := notice.Chat, c.args, c.rest
	if len(args) > 0 && slices.Contains(notice.Contexts(), strings.ToLower(args[0])) {
		name = strings.ToLower(args[0])
		rest = strings.TrimSpace(strings.TrimPrefix(rest, args[0]))
		args = args[1:]
	}
	if len(args) == 0 {
		return chosen(p), nil
	}
	verb := strings.ToLower(args[0])
	rest = strings.TrimSpace(strings.TrimPrefix(rest, args[0]))
	now := p.Context(name)
	switch verb {
	case "help":
		return alertsHelp, nil
	case "rules":
		return rules(), nil
	case "try":
		return b.try(ctx, c, rest)
	case "reset":
		return "You chose nothing any more.\n" + chosen(notice.Preferences{}), b.cfg.Outbox.Prefer(ctx, c.from, notice.Preferences{})
	case "on", "off":
		now.Off = verb == "off"
	case "add":
		f, err := notice.ParseFilter(rest)
		if err != nil {
			return "", misread(err)
		}
		if len(now.Filters) == 0 && !now.Off {
			now.Filters = []string{"default"}
		}
		if slices.Contains(now.Filters, f.String()) {
			return "That is chosen already.\n" + chosen(p), nil
		}
		if len(now.Filters) >= notice.MaxFilters {
			return "", wrongf("These are %d lines already, more cannot be kept.", notice.MaxFilters)
		}
		now.Filters, now.Off = append(slices.Clone(now.Filters), f.String()), false
	case "remove":
		n, err := strconv.Atoi(rest)
		if len(now.Filters) == 0 && !now.Off {
			now.Filters = []string{"default"}
		}
		if err != nil || n < 1 || n > len(now.Filters) {
			return "", wrongf("%.20q is no line of what you chose:\n%s", rest, chosen(p))
		}
		now.Filters = slices.Delete(slices.Clone(now.Filters), n-1, n)
		now.Off = len(now.Filters) == 0
	default:
		if near := notice.Nearest(verb, []string{"help", "rules", "try", "reset", "on", "off", "add", "remove", notice.Chat, notice.Device}); near != "" {
			return "", wrongf("There is no alerts %.20s. Did you mean alerts %s?", verb, near)
		}
		return "", wrongf("There is no alerts %.20s. These are:\n%s", verb, alertsHelp)
	}
	p = p.With(now)
	if err := b.cfg.Outbox.Prefer(ctx, c.from, p); err != nil {
		return "", err
	}
	return chosen(p), nil
}

// sentence begins with a capital.
func sentence(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// misread says what is wrong with rules.
func misread(err error) error {
	return wrong(strings.TrimSuffix(sentence(err.Error())+".", "?.") + map[bool]string{true: "?"}[strings.HasSuffix(err.Error(), "?")] + " alerts rules tells which there are.")
}

// chosen says what somebody is told in which way.
func chosen(p notice.Preferences) string {
	var out strings.Builder
	for _, name := range notice.Contexts() {
		c := p.Context(name)
		where := map[string]string{notice.Chat: "In chat", notice.Device: "On your devices"}[name]
		switch {
		case c.Off:
			fmt.Fprintf(&out, "%s you are told nothing.\n", where)
		case len(c.Filters) == 0:
			fmt.Fprintf(&out, "%s you are told:\n1. default\n", where)
		default:
			fmt.Fprintf(&out, "%s you are told:\n", where)
			for i, f := range c.Filters {
				fmt.Fprintf(&out, "%d. %s\n", i+1, f)
			}
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

func rules() string {
	var out strings.Builder
	for _, r := range notice.Rules() {
		fmt.Fprintf(&out, "%s - %s\n", strings.TrimSpace(r.Name+" "+r.Args), r.About)
	}
	out.WriteString("With not before it, a rule is the opposite.")
	return out.String()
}

// How many of the latest notices are tried, and how many are shown.
const (
	tried = 500
	shown = 10
)

// try says of which of the latest notices somebody would have been told.
func (b *Bot) try(ctx context.Context, c call, text string) (string, error) {
	f, err := notice.ParseFilter(text)
	if err != nil {
		return "", misread(err)
	}
	list, err := b.cfg.Outbox.Lately(ctx, tried)
	if err != nil {
		return "", err
	}
	var out []string
	n := 0
	for _, one := range list {
		text, ok := "", false
		for _, role := range notice.Roles(&one.Notice, c.from, c.admin) {
			v := &notice.View{Notice: &one.Notice, Role: role, Default: notice.AudienceOf(&one.Notice, b.cfg.Except).Has(role), Now: one.At}
			if yes, err := f.Match(v); err != nil {
				return "", wrongf("%s.", sentence(err.Error()))
			} else if yes {
				text, ok = one.Said(role), true
				break
			}
		}
		if !ok {
			continue
		}
		if n++; n <= shown {
			out = append(out, stamp(one.At)+" "+one.Kind+": "+text)
		}
	}
	switch {
	case n == 0:
		return fmt.Sprintf("None of the latest %d events.", len(list)), nil
	case n > shown:
		out = append(out, fmt.Sprintf("… and %d more of the latest %d events", n-shown, len(list)))
	}
	return strings.Join(out, "\n"), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// delivered says what became of a delivery.
func delivered(d outbox.Delivery) string {
	at := d.Ended
	if at.IsZero() {
		at = d.Notice.At
	}
	text := fmt.Sprintf("%s %s by %s (%s)", stamp(at), d.Notice.Kind, d.Context, d.Filter)
	switch {
	case d.State == outbox.Waiting && d.Why != "":
		text += ", is tried again: " + d.Why
	case d.State == outbox.Waiting:
		text += ", waits"
	case d.State == outbox.Failed:
		text += ", failed: " + d.Why
	}
	return text + ":"
}

func (b *Bot) test(ctx context.Context, c call) (string, error) {
	n := notice.Notice{ID: b.cfg.NewID(), Source: "bot", Kind: "test", Severity: notice.Error, At: b.cfg.Now().UTC(), Subject: "test",
		Text: "This is a test.", To: []string{c.from}}
	if _, err := b.cfg.Outbox.Add(ctx, n.At, n); err != nil {
		return "", err
	}
	b.cfg.Fresh()
	p, err := b.cfg.Outbox.Preferences(ctx, c.from)
	return "A test is on its way.\n" + chosen(p), err
}
