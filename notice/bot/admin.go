package bot

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"

	"rouse/notice/outbox"
)

// account reads which one is asked for.
func account(c call) (string, error) {
	if len(c.args) == 0 {
		return "", wrong("Of which account? Like juliet@example.org.")
	}
	j, err := jid.Parse(c.args[0])
	if err != nil || j.Localpart() == "" {
		return "", wrongf("%.60q is not the address of an account, like juliet@example.org.", c.args[0])
	}
	return j.Bare().String(), nil
}

func (b *Bot) who(ctx context.Context, c call) (string, error) {
	of, err := account(c)
	if err != nil {
		return "", err
	}
	text, err := b.devicesOf(ctx, of)
	if err != nil || b.cfg.Outbox == nil {
		return text, err
	}
	p, err := b.cfg.Outbox.Preferences(ctx, of)
	if err != nil {
		return "", err
	}
	list, err := b.cfg.Outbox.Of(ctx, of, toldLately)
	if err != nil {
		return "", err
	}
	text += "\n" + strings.NewReplacer("On your devices you are", "On devices they are", "you are", "they are").Replace(chosen(p))
	for _, d := range list {
		text += "\n" + delivered(d) + " " + d.Text
	}
	return text, nil
}

func (b *Bot) explain(ctx context.Context, c call) (string, error) {
	of, err := account(c)
	if err != nil {
		return "", err
	}
	return b.timeline(ctx, of, strings.Join(c.args[1:], " "), "")
}

// maxEvents is how many events one answer has.
const maxEvents = 100

func (b *Bot) events(ctx context.Context, c call) (string, error) {
	most := 20
	if len(c.args) > 0 {
		n, err := strconv.Atoi(c.args[0])
		if err != nil || n < 1 || n > maxEvents {
			return "", wrongf("%.20q is no number from 1 to %d.", c.args[0], maxEvents)
		}
		most = n
	}
	list, err := b.cfg.Outbox.Lately(ctx, most)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "Nothing happened in the last 30 days.", nil
	}
	deliveries, err := b.cfg.Outbox.Of(ctx, "", 20*most)
	if err != nil {
		return "", err
	}
	told := make(map[string]map[outbox.State]int) // by notice
	for _, d := range deliveries {
		if told[d.Notice.ID] == nil {
			told[d.Notice.ID] = make(map[outbox.State]int)
		}
		told[d.Notice.ID][d.State]++
	}
	var out []string
	for _, n := range list {
		line := stamp(n.At) + " " + n.Kind + ": " + n.Text
		for _, s := range []outbox.State{outbox.Told, outbox.Waiting, outbox.Failed} {
			if n := told[n.ID][s]; n > 0 {
				line += fmt.Sprintf(" [%s %d]", s, n)
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n"), nil
}
