package bot

import (
	"context"
	"strings"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/adhoc"
	"rouse/component/forms"
)

// Commands gives the commands as those of XEP-0050: what is written behind a command in
// chat is a field of a form.
func (b *Bot) Commands() (list []adhoc.Command) {
	for _, cmd := range b.list {
		c := adhoc.Command{Node: "bot-" + cmd.name, Name: sentence(cmd.about)}
		if cmd.args == "" {
			c.Run = func(ctx context.Context, from jid.JID, _ forms.Form) (forms.Form, error) {
				return b.filled(ctx, cmd, from, "")
			}
		} else {
			c.Steps = func(ctx context.Context, from jid.JID, in forms.Form) (forms.Form, bool, error) {
				if in.Values("arguments") == nil {
					return forms.Form{Type: "form", Title: cmd.name, Instructions: []string{sentence(cmd.about)}, Fields: []forms.Field{
						{Var: "arguments", Type: "text-single", Label: cmd.name + " " + cmd.args, Values: []string{""}},
					}}, false, nil
				}
				out, err := b.filled(ctx, cmd, from, in.Get("arguments"))
				return out, true, err
			}
		}
		list = append(list, c)
	}
	return list
}

func (b *Bot) filled(ctx context.Context, cmd command, from jid.JID, text string) (forms.Form, error) {
	account := from.Bare().String()
	c := call{from: account, admin: b.cfg.Desk.IsAdmin(account), args: strings.Fields(text), rest: strings.TrimSpace(text)}
	if !b.Knows(account) || cmd.admin && !c.admin {
		return forms.Form{}, xmpp.Error{Type: xmpp.Auth, Condition: xmpp.Forbidden}
	}
	return forms.Form{Type: "result", Title: cmd.name, Fields: []forms.Field{
		{Var: "answer", Type: "text-multi", Label: "Answer", Values: strings.Split(b.do(ctx, cmd, c), "\n")},
	}}, nil
}
