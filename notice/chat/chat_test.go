package chat

import (
	"context"
	"errors"
	"testing"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component/stanza"
	"rouse/notice"
	"rouse/notice/outbox"
)

// wire keeps what is sent, and answers to all IQs the same.
type wire struct {
	sent   []string
	answer error
}

func (w *wire) Send(_ context.Context, e stanza.Element) error {
	w.sent = append(w.sent, string(stanza.AppendElement(nil, e)))
	return nil
}
func (w *wire) Request(ctx context.Context, iq stanza.Element) (stanza.Element, error) {
	return stanza.Element{}, errors.Join(w.Send(ctx, iq), w.answer)
}

func TestSend(t *testing.T) {
	for name, c := range map[string]struct {
		answer      error
		told, never bool
	}{
		"answered":             {nil, true, false},
		"pings are not known":  {xmpp.Error{Condition: xmpp.ServiceUnavailable}, true, false},
		"no such server":       {xmpp.Error{Condition: xmpp.RemoteServerNotFound}, false, true},
		"the server is away":   {xmpp.Error{Condition: xmpp.RemoteServerTimeout}, false, false},
		"the link broke":       {errors.New("the link is down"), false, false},
		"nobody answered ever": {context.DeadlineExceeded, false, false},
	} {
		w := &wire{answer: c.answer}
		err := (&Sender{From: "rouse.x", Link: w}).Send(t.Context(), outbox.Delivery{Delivery: notice.Delivery{Address: "juliet@x.test", Text: "Your <password>."}, Notice: notice.Notice{ID: "id1"}})
		if (err == nil) != c.told || errors.Is(err, notice.ErrUndeliverable) != c.never {
			t.Errorf("%s: %v", name, err)
		}
		const message = `<message type='chat' from='rouse.x' to='juliet@x.test' id='id1'><body>Your &lt;password&gt;.</body><store xmlns='urn:xmpp:hints'/></message>`
		const ping = `<iq type='get' from='rouse.x' to='x.test'><ping xmlns='urn:xmpp:ping'/></iq>`
		if len(w.sent) != 2 || w.sent[0] != message || w.sent[1] != ping {
			t.Errorf("%s: sent %q", name, w.sent)
		}
	}
}
