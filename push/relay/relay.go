package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"rouse/push"
	"rouse/session"
)

// AnswerTime is how long a push service gets to answer: s2s may take its time.
const AnswerTime = 90 * time.Second

// Timeout is what a try takes at most, for push.App: a publish and its repeat,
// and the server taking each.
const Timeout = 2*AnswerTime + 20*time.Second

// PublishRequest asks a server to publish to a push service in its own name
// (docs/events.md, Publish).
type PublishRequest struct {
	Host     string // domain of the account: whose module is asked
	User     string // local part of the account
	Wake     string // comes back in the answer
	Service  string
	Node     string
	Class    session.Class
	Count    int
	Priority string // high or low, for who wants to know; empty for others
	Words
}

// Words are what leaves the host besides that there is something, and how much.
type Words struct {
	Sender bool   // who wrote last: the server fills it in, we do not know
	Body   string // in place of what was written; empty: nothing
}

// of gives what is said of a class. A text tells the push service that the wake is
// of importance: servers say it so, and there is no other way.
func (w Words) of(c session.Class) Words {
	if c < session.Invitation { // no message
		w.Body = ""
	}
	return w
}

// Server has a server module publish.
type Server interface {
	// Publish returns nil once the module took the request. A *Refusal is the
	// module's answer; any other error means that it could not be asked.
	Publish(ctx context.Context, r PublishRequest) error
}

// Refusal is a stanza error (RFC 6120 §8.3).
type Refusal struct {
	Condition string
	Type      string
}

func (r *Refusal) Error() string { return r.Type + " " + r.Condition }

// Provider has wakes published by the account's server.
type Provider struct {
	server Server
	words  func() Words

	mu      sync.Mutex
	waiting map[string]*waiter // by wake
}

// waiter is a wake that was published and not answered. Two tries of one wake
// can be under way after a lease ended; both take the answer.
type waiter struct {
	tries  int
	done   chan struct{} // closed by the answer
	answer Refusal       // zero: taken
}

var _ push.Provider = (*Provider)(nil)

// New makes a provider. words is asked at each wake.
func New(s Server, words func() Words) *Provider {
	return &Provider{server: s, words: words, waiting: make(map[string]*waiter)}
}

// Check has nothing to prove: the server publishes in its own name.
func (p *Provider) Check(context.Context) error { return nil }

// Answer hands over what a push service answered: the event answered. An empty
// condition means that it took the publish. It reports whether a try waited.
func (p *Provider) Answer(wake, condition, errType string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.waiting[wake]
	if !ok {
		return false
	}
	delete(p.waiting, wake)
	w.answer = Refusal{Condition: condition, Type: errType}
	close(w.done)
	return true
}

// Send has the wake published, and waits for the push service's answer. When
// none comes the publish is repeated once, with the same id.
func (p *Provider) Send(ctx context.Context, n push.Notification) push.Result {
	user, host, ok := strings.Cut(n.Owner, "@")
	if !ok || user == "" || host == "" {
		return push.Result{Outcome: push.BadRequest, Reason: "not an account of ours", Err: errors.New("the owner of the wake is not a bare JID"),
			Remedy: "this is a mistake in rouse, please report it"}
	}
	w := p.enter(n.ID)
	defer p.leave(n.ID, w)
	req := PublishRequest{Host: host, User: user, Wake: n.ID, Service: n.Address.Service, Node: n.Address.Node, Class: n.Class, Count: n.Count,
		Words: p.words().of(n.Class)}
	if n.Priority {
		req.Priority = map[bool]string{true: "high", false: "low"}[n.Class.Importance().Urgent]
	}
	for range 2 {
		if err := p.server.Publish(ctx, req); err != nil {
			return refused(err)
		}
		timer := time.NewTimer(AnswerTime)
		select {
		case <-w.done:
			timer.Stop()
			return judge(w.answer)
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return push.Result{Outcome: push.Unavailable, Unasked: true, Reason: "no answer in time", Err: ctx.Err()}
		}
	}
	return push.Result{Outcome: push.Unavailable, Reason: "no answer", Absent: true, Err: fmt.Errorf("the push service %s does not answer", n.Address.Service)}
}

func (p *Provider) enter(wake string) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.waiting[wake]
	if !ok {
		w = &waiter{done: make(chan struct{})}
		p.waiting[wake] = w
	}
	w.tries++
	return w
}

func (p *Provider) leave(wake string, w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.tries--; w.tries == 0 && p.waiting[wake] == w {
		delete(p.waiting, wake)
	}
}

// refused is for publishes that the server's module did not take.
func refused(err error) push.Result {
	var r *Refusal
	if errors.As(err, &r) {
		result := judge(*r)
		if result.Outcome == push.TokenGone {
			result.Reason = "not enabled any more" // the module looks into the server's own list
			return result
		}
		result.Absent, result.Unasked = false, true
		return result
	}
	return push.Result{Outcome: push.Unavailable, Unasked: true, Reason: "the server's module cannot be asked", Err: err,
		Remedy: "look whether mod_rouse is loaded on the account's host, and the component connected"}
}

// judge takes only two answers for the end of an endpoint. Of all others some
// pass and some do not; a push service that errs must not cost anybody the
// registration.
func judge(r Refusal) push.Result {
	switch {
	case r.Condition == "" && r.Type == "":
		return push.Result{Outcome: push.Delivered, Reason: "result"}
	case r.Type != "wait" && (r.Condition == "item-not-found" || r.Condition == "gone"):
		return push.Result{Outcome: push.TokenGone, Reason: word(r.Type) + " " + word(r.Condition)}
	default:
		return push.Result{Outcome: push.Unavailable, Reason: word(r.Type) + " " + word(r.Condition), Absent: absent(r.Condition)}
	}
}

// absent: servers say it of a domain that they do not reach, or where nobody
// answers for an address (RFC 6120 §8.3.3).
func absent(condition string) bool {
	switch condition {
	case "remote-server-not-found", "remote-server-timeout", "service-unavailable":
		return true
	}
	return false
}

// word keeps of what a stranger sent what can stand in records.
func word(s string) string {
	for i, c := range s {
		if i >= 40 || (c < 'a' || c > 'z') && c != '-' {
			return s[:i]
		}
	}
	return s
}
