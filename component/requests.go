package component

import (
	"errors"
	"sync"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
)

// requests are our IQs on one link that wait for their answers.
type requests struct {
	max int

	mu      sync.Mutex
	waiting map[string]request // by id; nil once the link is gone
}

type request struct {
	to     jid.JID
	answer chan stanza.Element // of room for one; closed without if none comes
}

func newRequests(n int) *requests {
	return &requests{max: n, waiting: make(map[string]request)}
}

func (r *requests) add(id string, to jid.JID) (<-chan stanza.Element, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		return nil, ErrDisconnected
	}
	if len(r.waiting) >= r.max {
		return nil, errors.New("component: too many requests under way")
	}
	answer := make(chan stanza.Element, 1)
	r.waiting[id] = request{to, answer}
	return answer, nil
}

func (r *requests) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

// deliver hands an answer to who waits for it. It reports false if nobody
// waits for that id from that sender: both servers pass on what users send as
// answers, so the id alone proves nothing.
func (r *requests) deliver(e stanza.Element) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := e.Get("id")
	q, ok := r.waiting[id]
	if !ok {
		return false
	}
	if from, err := jid.Parse(e.Get("from")); err != nil || !from.Equal(q.to) {
		return false
	}
	delete(r.waiting, id)
	q.answer <- e
	return true
}

// fail ends all requests, and those to come, without an answer.
func (r *requests) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.waiting {
		close(q.answer)
	}
	r.waiting = nil
}
