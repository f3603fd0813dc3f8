package room

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
	"rouse/notice"
	"rouse/notice/outbox"
)

// muc is a room that answers as it is told.
type muc struct {
	r       *Rooms
	joins   []string // answers to presences, in turn: "in", an error's condition, or "" for none
	says    []string // answers to messages: "back", an error's condition, or ""
	entered []string // to which address
	heard   []string
}

const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"

func refusal(condition string) stanza.Element {
	return stanza.Element{Space: stanza.NSClient, Name: "error", Children: []stanza.Element{{Space: stanzas, Name: condition}, {Space: stanzas, Name: "text", Text: "no"}}}
}

func (m *muc) Send(_ context.Context, e stanza.Element) error {
	to := jid.MustParse(e.Get("to"))
	next := func(list *[]string) (s string) {
		s = (*list)[0]
		if len(*list) > 1 {
			*list = (*list)[1:]
		}
		return s
	}
	if e.Name == "presence" {
		m.entered = append(m.entered, to.String())
		go func(answer string) {
			p := stanza.Element{Space: stanza.NSClient, Name: "presence"}
			switch answer {
			case "":
				return
			case "in":
				p.Children = []stanza.Element{{Space: "http://jabber.org/protocol/muc#user", Name: "x", Children: []stanza.Element{{Name: "status", Attr: []stanza.Attr{{Name: "code", Value: "110"}}}}}}
				other := stanza.Element{Space: stanza.NSClient, Name: "presence"} // those who are there come first
				m.r.Presence(jid.MustParse("room@muc.test/other"), &other)
			default:
				p.Attr, p.Children = []stanza.Attr{{Name: "type", Value: "error"}}, []stanza.Element{refusal(answer)}
			}
			m.r.Presence(to, &p)
		}(next(&m.joins))
		return nil
	}
	m.heard = append(m.heard, e.Children[0].Text)
	go func(answer string) {
		back := stanza.Element{Space: stanza.NSClient, Name: "message", Attr: []stanza.Attr{{Name: "type", Value: "groupchat"}, {Name: "id", Value: e.Get("id")}}}
		switch answer {
		case "":
			return
		case "back":
		default:
			back.Attr[0].Value, back.Children = "error", []stanza.Element{refusal(answer)}
		}
		m.r.Message(to, &back)
	}(next(&m.says))
	return nil
}

func delivery(id string) outbox.Delivery {
	return outbox.Delivery{Delivery: notice.Delivery{Address: "room@muc.test", Text: "Text " + id}, Notice: notice.Notice{ID: id}}
}

// TestSend: a room is entered once, and again after it does not know us any more.
func TestSend(t *testing.T) {
	for _, c := range []struct {
		name        string
		joins, says []string
		want        string // what becomes of three notices
		entered     string
	}{
		{"well", []string{"in"}, []string{"back"}, "told told told", "room@muc.test/rouse"},
		{"not let in", []string{"forbidden", "in"}, []string{"back"}, "forbidden told told", "room@muc.test/rouse room@muc.test/rouse"},
		{"the name is taken", []string{"conflict", "in"}, []string{"back"}, "conflict told told", "room@muc.test/rouse room@muc.test/rouse_"},
		{"it was away meanwhile", []string{"in"}, []string{"back", "not-acceptable", "back"}, "told not-acceptable told", "room@muc.test/rouse room@muc.test/rouse"},
		{"it says nothing", []string{"in"}, []string{"", "back"}, "nobody knows told told", "room@muc.test/rouse room@muc.test/rouse"},
		{"it does not answer at all", []string{"", "in"}, []string{"back"}, "let us in told told", "room@muc.test/rouse room@muc.test/rouse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &muc{joins: c.joins, says: c.says}
				m.r = New("rouse.test", "rouse", m)
				var got []string
				for _, id := range []string{"1", "2", "3"} {
					err := m.r.Send(t.Context(), delivery(id))
					switch {
					case err == nil:
						got = append(got, "told")
					default:
						word := err.Error()
						for _, known := range strings.SplitAfter("forbidden conflict not-acceptable ", " ") {
							if known = strings.TrimSpace(known); known != "" && strings.Contains(word, known) {
								word = known
							}
						}
						for _, known := range []string{"nobody knows", "let us in"} {
							if strings.Contains(word, known) && strings.Contains(word, "deadline") {
								word = known
							}
						}
						got = append(got, word)
					}
				}
				if text := strings.Join(got, " "); text != c.want {
					t.Errorf("%s, want %s", text, c.want)
				}
				if text := strings.Join(m.entered, " "); text != c.entered {
					t.Errorf("entered %s, want %s", text, c.entered)
				}
			})
		})
	}
}

// TestPutOut: kicked, or the link is new: it is entered again.
func TestPutOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &muc{joins: []string{"in"}, says: []string{"back"}}
		m.r = New("rouse.test", "rouse", m)
		m.r.Called("room@muc.test", "herald")
		send := func(id string) {
			t.Helper()
			if err := m.r.Send(t.Context(), delivery(id)); err != nil {
				t.Error(err)
			}
		}
		send("1")
		kicked := stanza.Element{Space: stanza.NSClient, Name: "presence", Attr: []stanza.Attr{{Name: "type", Value: "unavailable"}},
			Children: []stanza.Element{{Space: "http://jabber.org/protocol/muc#user", Name: "x", Children: []stanza.Element{{Name: "status", Attr: []stanza.Attr{{Name: "code", Value: "307"}}}, {Name: "status", Attr: []stanza.Attr{{Name: "code", Value: "110"}}}}}}}
		if !m.r.Presence(jid.MustParse("room@muc.test/herald"), &kicked) {
			t.Error("that was of a room")
		}
		send("2")
		m.r.Forget()
		send("3")
		if text := strings.Join(m.entered, " "); text != "room@muc.test/herald room@muc.test/herald room@muc.test/herald" {
			t.Error(text)
		}
		// Whoever waits when the link breaks does not wait on.
		m.says = []string{""}
		ended := make(chan error, 1)
		begun := time.Now()
		go func() { ended <- m.r.Send(t.Context(), delivery("4")) }()
		synctest.Wait()
		m.r.Forget()
		if err := <-ended; err == nil || time.Since(begun) > time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestOthers(t *testing.T) {
	r := New("rouse.test", "rouse", nil)
	p := stanza.Element{Name: "presence", Attr: []stanza.Attr{{Name: "type", Value: "subscribe"}}}
	if r.Presence(jid.MustParse("juliet@x.test"), &p) {
		t.Error("that was of a person")
	}
	m := stanza.Element{Name: "message", Attr: []stanza.Attr{{Name: "type", Value: "chat"}, {Name: "id", Value: "1"}}}
	if r.Message(jid.MustParse("juliet@x.test"), &m) {
		t.Error("that was of a person")
	}
	if err := r.Send(t.Context(), outbox.Delivery{Delivery: notice.Delivery{Address: "muc.test"}}); !errors.Is(err, notice.ErrUndeliverable) {
		t.Error(err)
	}
}
