package history

import (
	"slices"
	"strconv"
	"strings"

	"rouse/session"
)

// Account speaks for the account where else a session does.
const Account = "account"

// kinds are the events that a history may have: not those of which a line cannot
// say what they mean alone.
func kinds() []session.Kind {
	list := slices.DeleteFunc(session.Kinds(), func(k session.Kind) bool {
		return k == session.Answered || k == session.PictureOn || k == session.PictureOff || k == session.Left
	})
	return append(list, session.Publish, session.Gone, session.Renew, session.Choose)
}

// event reads "phone hibernated out=5 unread=message@5".
func (s *Step) event(words []string) *mistake {
	if len(words) < 2 {
		return wrong("phone hibernated, or account archived message s:1", "what happens to %q?", words[0])
	}
	e := &session.Event{Kind: session.Kind(words[1])}
	if !slices.Contains(kinds(), e.Kind) {
		var names []string
		for _, k := range kinds() {
			names = append(names, string(k))
		}
		return wrong("one of "+strings.Join(names, ", "), "there is no event %q", words[1])
	}
	if words[0] != Account {
		e.Session, e.Resource = words[0], words[0]
		if e.Kind == session.Enable || e.Kind == session.Disable || e.Kind == session.StoredRow {
			s.Node = words[0]
		}
	}
	for _, w := range words[2:] {
		if err := s.word(e, w); err != nil {
			return err
		}
	}
	s.Event = e
	switch e.Kind {
	case session.Enable, session.Disable, session.StoredRow, session.Publish, session.Gone, session.Renew, session.Published:
		if s.Node == "" {
			return wrong(words[0]+" "+words[1]+" node=phone", "which device is it about?")
		}
	case session.CSI:
		if !slices.Contains(words[2:], "active") && !slices.Contains(words[2:], "inactive") {
			return wrong("phone csi inactive", "which state is it?")
		}
	}
	return nil
}

const wordTip = "a class (message, call, …), a state (active, hibernated, …), a key (s:1), or out=N, acked=N, count=N, unread=CLASS@N, heard=SESSION, node=DEVICE, service=JID, published=DEVICE, chat=NAME, stranger, resource=NAME, client=ID, reason=WORD"

func (s *Step) word(e *session.Event, w string) *mistake {
	k, v, valued := strings.Cut(w, "=")
	if is, err := filtering(e, w); is {
		return err
	}
	if !valued {
		switch {
		case w == "stranger":
			e.Stranger = true
			return nil
		case strings.HasPrefix(w, "s:"), strings.HasPrefix(w, "i:"):
			e.Key = w
			return nil
		}
		if st, err := session.ParseState(w); err == nil {
			e.State = st
			return nil
		}
		if c, err := session.ParseClass(w); err == nil {
			e.Class = c
			return nil
		}
		return wrong(wordTip, "what is %q?", w)
	}
	if v == "" {
		return wrong(wordTip, "%q has no value", w)
	}
	var n uint64
	if k == "out" || k == "acked" || k == "count" {
		var err error
		if n, err = strconv.ParseUint(v, 10, 31); err != nil {
			return wrong(k+"=5", "%q is not a number", v)
		}
	}
	switch k {
	case "out":
		e.Out = n
	case "acked":
		e.Acked = n
	case "count":
		e.Count = int(n)
	case "unread":
		u, err := unread(v)
		if err != nil {
			return err
		}
		e.Unread = append(e.Unread, u)
	case "heard":
		e.Heard = append(e.Heard, v)
	case "node":
		s.Node = v
	case "service":
		e.Address.Service = v
	case "published":
		e.Published = append(e.Published, session.Address{Node: v})
	case "chat":
		e.Chat = v
	case "resource":
		e.Resource = v
	case "client":
		e.Client = v
	case "reason":
		e.Reason = v
	default:
		return wrong(wordTip, "what is %q?", w)
	}
	return nil
}

// unread reads CLASS@N or CLASS@N@KEY: one stanza of that class, which went out as
// number N; CLASS*3@N: three of them, the last as number N.
func unread(v string) (session.Unread, *mistake) {
	const tip = "unread=message@5, unread=call@3@s:1 with its key, unread=message@3@s:1@romeo with its chat too (and @stranger behind that), or unread=group*4@9 for four of them"
	part := strings.SplitN(v, "@", 5)
	if len(part) < 2 {
		return session.Unread{}, wrong(tip, "unread=%s does not say which stanza it was", v)
	}
	name, many, several := strings.Cut(part[0], "*")
	class, err := session.ParseClass(name)
	if err != nil {
		return session.Unread{}, wrong(tip, "%s", err.Error())
	}
	count := uint64(1)
	if several {
		if count, err = strconv.ParseUint(many, 10, 31); err != nil || count == 0 {
			return session.Unread{}, wrong(tip, "%q is not a number of stanzas", many)
		}
	}
	last, err := strconv.ParseUint(part[1], 10, 31)
	if err != nil {
		return session.Unread{}, wrong(tip, "%q is not a number", part[1])
	}
	u := session.Unread{Class: class, Last: last, Count: int(count)}
	if len(part) > 2 {
		u.Key = part[2]
	}
	if len(part) > 3 {
		u.Chat = part[3]
	}
	if len(part) > 4 {
		if u.Stranger = part[4] == "stranger"; !u.Stranger {
			return session.Unread{}, wrong(tip, "what is %q?", part[4])
		}
	}
	return u, nil
}
