package adhoc

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/forms"
	"rouse/component/stanza"
)

// NS is the namespace of XEP-0050, and its feature.
const NS = "http://jabber.org/protocol/commands"

// Command is a command. Run gets who executes it, from its server's word, and
// the form that came along, empty if none did. It returns the form to answer
// with, none if it has no fields. An error of mellium's type stanza.Error is
// answered as it is, any other is logged and answered with wait.
//
// Ask is for a command that has something to say before it can be executed: the
// form that is given to who executes it without one. Nothing is kept between
// the two stages.
//
// Steps is for a command that asks more than once. It gets what was filled in last,
// an empty form at first, and gives the next one to fill in, or the result when it is
// done. What has to be kept between two stages stands in hidden fields.
type Command struct {
	Node, Name string
	Ask        func() forms.Form // nil: there is a single stage
	Run        func(ctx context.Context, from jid.JID, form forms.Form) (forms.Form, error)
	Steps      func(ctx context.Context, from jid.JID, form forms.Form) (next forms.Form, done bool, err error) // in place of both
}

// Commands are the commands of a component.
type Commands struct {
	list   []Command
	byNode map[string]*Command // lower case
}

// Handle has c offer the commands. It panics if two have the same node. What
// is returned lists them for service discovery.
func Handle(c *component.Component, log *slog.Logger, list ...Command) *Commands {
	all := &Commands{list: list, byNode: make(map[string]*Command, len(list))}
	for i := range list {
		key := strings.ToLower(list[i].Node)
		if all.byNode[key] != nil {
			panic("adhoc: two commands at node " + key)
		}
		all.byNode[key] = &list[i]
	}
	c.HandleIQ(xmpp.SetIQ, xml.Name{Space: NS, Local: "command"}, component.Sync(func(ctx context.Context, iq component.IQ) component.Answer {
		result, err := all.execute(ctx, c.NewID, iq)
		if err == nil {
			return component.Result(result)
		}
		var se xmpp.Error
		if !errors.As(err, &se) {
			log.Error("command failed, answered wait", "node", iq.Payload.Get("node"), "err", err)
			se = xmpp.Error{Type: xmpp.Wait, Condition: xmpp.InternalServerError}
		}
		return component.Answer{Err: &se}
	}), NS, forms.NS)
	return all
}

// All yields the commands' nodes and names.
func (a *Commands) All() iter.Seq2[string, string] {
	return func(yield func(node, name string) bool) {
		for _, c := range a.list {
			if !yield(c.Node, c.Name) {
				return
			}
		}
	}
}

func (a *Commands) execute(ctx context.Context, newID func() (string, error), iq component.IQ) (stanza.Element, error) {
	node := iq.Payload.Get("node")
	command := a.byNode[strings.ToLower(node)]
	if command == nil {
		return stanza.Element{}, xmpp.Error{Type: xmpp.Cancel, Condition: xmpp.ItemNotFound}
	}
	action := iq.Payload.Get("action")
	if !command.takes(action) {
		return stanza.Element{}, xmpp.Error{Type: xmpp.Modify, Condition: xmpp.BadRequest}
	}
	session := iq.Payload.Get("sessionid")
	if session == "" {
		var err error
		if session, err = newID(); err != nil {
			return stanza.Element{}, fmt.Errorf("session id: %w", err)
		}
	}
	answer := func(status string) stanza.Element {
		return stanza.Element{Space: NS, Name: "command", Attr: []stanza.Attr{
			{Name: "node", Value: node}, {Name: "sessionid", Value: session}, {Name: "status", Value: status},
		}}
	}
	form, filled := forms.Of(&iq.Payload)
	switch {
	case action == "cancel":
		return answer("canceled"), nil
	case command.Ask != nil && !filled:
		return executing(answer("executing"), command.Ask()), nil
	}
	var result forms.Form
	var err error
	if command.Steps != nil {
		var done bool
		if result, done, err = command.Steps(ctx, iq.From, form); err == nil && !done {
			return executing(answer("executing"), result), nil
		}
	} else {
		result, err = command.Run(ctx, iq.From, form)
	}
	if err != nil {
		return stanza.Element{}, err
	}
	e := answer("completed")
	if len(result.Fields) > 0 {
		e.Children = []stanza.Element{result.Element()}
	}
	return e, nil
}

// executing gives a form to fill in.
func executing(e stanza.Element, f forms.Form) stanza.Element {
	e.Children = []stanza.Element{
		{Space: NS, Name: "actions", Attr: []stanza.Attr{{Name: "execute", Value: "complete"}}, Children: []stanza.Element{{Space: NS, Name: "complete"}}},
		f.Element(),
	}
	return e
}

// takes reports whether an action makes sense. With a single stage there is
// nothing to complete or to cancel (XEP-0050 §4.4).
func (c *Command) takes(action string) bool {
	switch action {
	case "", "execute":
		return true
	case "complete", "next", "cancel":
		return c.Ask != nil || c.Steps != nil
	}
	return false
}
