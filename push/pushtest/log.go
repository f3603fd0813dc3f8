package pushtest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Received is one request that reached a stand-in, and what it answered.
type Received struct {
	At       time.Time
	Token    string
	ID       string        // APNs: apns-id
	Topic    string        // APNs: apns-topic
	PushType string        // APNs: apns-push-type
	Priority string        // APNs: 10 or 5; FCM: high or normal; Web Push: Urgency
	Expires  time.Time     // APNs: apns-expiration; zero: there was none
	TTL      time.Duration // FCM: ttl; Web Push: TTL
	Collapse string        // APNs: apns-collapse-id; FCM: collapse_key; Web Push: Topic
	Account  string        // APNs, Web Push: the payload's account; FCM: data.account
	DryRun   bool          // FCM: validate_only
	Bearer   string        // what the request was authorised with
	Peer     string        // address of the client's end: one for each connection
	Header   http.Header
	Payload  []byte // Web Push: decrypted

	Status int    // answered; 0: nothing was
	Reason string // APNs: reason; FCM: errorCode; Web Push: what was wrong
}

// Delivered reports whether a device was woken by it.
func (r Received) Delivered() bool {
	return (r.Status == http.StatusOK || r.Status == http.StatusCreated) && !r.DryRun
}

// Reply tells a stand-in to answer otherwise than it would by itself.
type Reply struct {
	Status     int           // 0: its own answer
	Reason     string        // APNs: reason; FCM: errorCode of the FcmError
	Timestamp  time.Time     // APNs, 410: since when the token is gone
	RetryAfter string        // header Retry-After, verbatim
	Location   string        // header Location, for redirects
	Body       []byte        // verbatim, in place of Reason
	Delay      time.Duration // before the answer
	GoAway     bool          // the connection is closed gracefully with the answer (RFC 9113 §6.8)
	Garbage    []byte        // these bytes in place of an answer, then the end of the connection; with Hang that comes when the client goes
	Reset      bool          // no answer: the connection is reset
	Hang       bool          // no answer, for as long as the client waits
}

// script is what both stand-ins are told and what they have seen.
type script struct {
	mu       sync.Mutex
	received []*Received
	changed  chan struct{} // closed and replaced at every change
	answer   func(Received) *Reply
	answered func(Received)
	queue    []Reply
	refusal  Reply
}

// Answer has fn decide about every request that the stand-in would take; nil
// from it means the stand-in's own answer. It runs on many goroutines at once.
func (s *script) Answer(fn func(Received) *Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = fn
}

// OnAnswer has fn told of every request as it is answered, for those who cannot
// go through the whole list again and again. It runs on many goroutines at once.
func (s *script) OnAnswer(fn func(Received)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = fn
}

// Queue has the next requests that the stand-in would take answered so, one
// each. It goes before Answer.
func (s *script) Queue(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, replies...)
}

// Refuse has every request with good credentials refused so, before its token is
// looked at: a key for another environment, an API that is not enabled. The zero
// Reply ends that.
func (s *script) Refuse(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = r
}

func (s *script) refused() (Reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal, s.refusal.Status != 0
}

// Received lists all requests in the order they came.
func (s *script) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Received, len(s.received))
	for i, r := range s.received {
		out[i] = *r
	}
	return out
}

// Delivered lists the requests that woke a device.
func (s *script) Delivered() []Received {
	var out []Received
	for _, r := range s.Received() {
		if r.Delivered() {
			out = append(out, r)
		}
	}
	return out
}

// Forget empties the list.
func (s *script) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = nil
}

// Wait returns the requests once n of them came, or the error of ctx.
func (s *script) Wait(ctx context.Context, n int) ([]Received, error) {
	return s.wait(ctx, n, s.Received)
}

// WaitDelivered returns the requests that woke a device once there are n.
func (s *script) WaitDelivered(ctx context.Context, n int) ([]Received, error) {
	return s.wait(ctx, n, s.Delivered)
}

func (s *script) wait(ctx context.Context, n int, list func() []Received) ([]Received, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		if changed == nil {
			changed = make(chan struct{})
			s.changed = changed
		}
		s.mu.Unlock()
		if got := list(); len(got) >= n {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return list(), ctx.Err()
		}
	}
}

// note puts a request into the list; the function that it gives adds the answer.
func (s *script) note(r Received) (answered func(status int, reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := &r
	s.received = append(s.received, entry)
	s.stir()
	return func(status int, reason string) {
		s.mu.Lock()
		entry.Status, entry.Reason = status, reason
		got, tell := *entry, s.answered
		s.stir()
		s.mu.Unlock()
		if tell != nil {
			tell(got)
		}
	}
}

func (s *script) stir() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// told gives the scripted reply for a request, or nil.
func (s *script) told(r Received) *Reply {
	s.mu.Lock()
	if len(s.queue) > 0 {
		reply := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		return &reply
	}
	fn := s.answer
	s.mu.Unlock()
	if fn == nil {
		return nil
	}
	return fn(r)
}

func jsonBody(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values made here
	}
	return b
}
