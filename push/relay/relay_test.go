package relay

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rouse/push"
	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server takes publishes and passes them on.
type server struct {
	asked  chan PublishRequest
	answer func(n int) error // to the n-th request, from 1
	n      atomic.Int32
}

func (s *server) Publish(_ context.Context, r PublishRequest) error {
	n := s.n.Add(1)
	s.asked <- r
	if s.answer != nil {
		return s.answer(int(n))
	}
	return nil
}

// says is what is configured.
func says(w Words) func() Words { return func() Words { return w } }

var quiet = says(Words{})

func wake() push.Notification {
	return push.Notification{ID: "w1", Class: session.Message, Count: 2, Owner: "juliet@example.org",
		Address: session.Address{Service: "push.other.example", Node: "yxs32uqsflafdk3iuqo"}}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		condition, errType string
		want               push.Outcome
		reason             string
		absent             bool
	}{
		{"", "", push.Delivered, "result", false},
		{"item-not-found", "cancel", push.TokenGone, "cancel item-not-found", false},
		{"gone", "cancel", push.TokenGone, "cancel gone", false},
		{"gone", "modify", push.TokenGone, "modify gone", false},
		{"item-not-found", "wait", push.Unavailable, "wait item-not-found", false},
		{"service-unavailable", "cancel", push.Unavailable, "cancel service-unavailable", true},
		{"remote-server-not-found", "cancel", push.Unavailable, "cancel remote-server-not-found", true},
		{"remote-server-timeout", "wait", push.Unavailable, "wait remote-server-timeout", true},
		{"internal-server-error", "wait", push.Unavailable, "wait internal-server-error", false},
		{"bad-request", "cancel", push.Unavailable, "cancel bad-request", false},
		{"forbidden", "auth", push.Unavailable, "auth forbidden", false},
		{"policy-violation", "cancel", push.Unavailable, "cancel policy-violation", false},
		{"", "cancel", push.Unavailable, "cancel ", false},
		{"Sécret", "<x/>", push.Unavailable, " ", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{asked: make(chan PublishRequest, 2)}
			p := New(s, quiet)
			done := make(chan push.Result)
			go func() { done <- p.Send(context.Background(), wake()) }()
			want := PublishRequest{Host: "example.org", User: "juliet", Wake: "w1", Service: "push.other.example",
				Node: "yxs32uqsflafdk3iuqo", Class: session.Message, Count: 2}
			if got := <-s.asked; got != want {
				t.Errorf("asked %+v", got)
			}
			time.Sleep(80 * time.Second)
			if p.Answer("w2", "gone", "cancel") {
				t.Error("an answer about another wake was taken")
			}
			if !p.Answer("w1", c.condition, c.errType) {
				t.Error("nobody waited")
			}
			if r := <-done; r.Outcome != c.want || r.Reason != c.reason || r.Absent != c.absent {
				t.Errorf("%s %s: %+v", c.errType, c.condition, r)
			}
			if p.Answer("w1", "gone", "cancel") {
				t.Error("a second answer was taken")
			}
			if s.n.Load() != 1 || len(p.waiting) != 0 {
				t.Errorf("asked %d times, %d wait", s.n.Load(), len(p.waiting))
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{asked: make(chan PublishRequest, 3)}
		p := New(s, quiet)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), Timeout)
		defer cancel()
		r := p.Send(ctx, wake())
		if r.Outcome != push.Unavailable || !r.Absent || time.Since(start) != 2*AnswerTime || s.n.Load() != 2 || len(p.waiting) != 0 {
			t.Errorf("%+v after %v, asked %d times", r, time.Since(start), s.n.Load())
		}
		if a, b := <-s.asked, <-s.asked; a != b {
			t.Errorf("%+v, then %+v", a, b)
		}
	})
}

func TestLateAnswerToTheFirstCountsForTheRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{asked: make(chan PublishRequest, 3)}
		p := New(s, quiet)
		go func() {
			time.Sleep(AnswerTime + time.Second)
			p.Answer("w1", "", "")
		}()
		if r := p.Send(t.Context(), wake()); r.Outcome != push.Delivered || s.n.Load() != 2 {
			t.Errorf("%+v, asked %d times", r, s.n.Load())
		}
	})
}

func TestServerRefuses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want push.Outcome
	}{
		{&Refusal{Condition: "item-not-found", Type: "cancel"}, push.TokenGone},
		{&Refusal{Condition: "item-not-found", Type: "wait"}, push.Unavailable},
		{&Refusal{Condition: "service-unavailable", Type: "cancel"}, push.Unavailable},
		{errors.New("the component is not connected"), push.Unavailable},
	} {
		s := &server{asked: make(chan PublishRequest, 1), answer: func(int) error { return c.err }}
		p := New(s, quiet)
		if r := p.Send(t.Context(), wake()); r.Outcome != c.want || r.Absent || r.Unasked != (c.want == push.Unavailable) || s.n.Load() != 1 || len(p.waiting) != 0 {
			t.Errorf("%v: %+v", c.err, r)
		}
	}
}

func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(&server{asked: make(chan PublishRequest, 1)}, quiet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := p.Send(ctx, wake()); r.Outcome != push.Unavailable || r.Absent || !r.Unasked || len(p.waiting) != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// After a lease ended a second worker may send the same wake.
func TestTwoTriesOfOneWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(&server{asked: make(chan PublishRequest, 4)}, quiet)
		done := make(chan push.Result, 2)
		for range 2 {
			go func() { done <- p.Send(context.Background(), wake()) }()
			time.Sleep(time.Second)
		}
		p.Answer("w1", "", "")
		if a, b := <-done, <-done; a.Outcome != push.Delivered || b.Outcome != push.Delivered {
			t.Errorf("%+v, %+v", a, b)
		}
	})
}

func TestOwnerMustBeAnAccount(t *testing.T) {
	for _, owner := range []string{"", "node:abc", "@example.org", "juliet@"} {
		n := wake()
		n.Owner = owner
		if r := New(&server{}, quiet).Send(t.Context(), n); r.Outcome != push.BadRequest {
			t.Errorf("%q: %+v", owner, r)
		}
	}
}

// TestWhatLeavesTheHost: the operator decides, and a text stands for messages only.
func TestWhatLeavesTheHost(t *testing.T) {
	for _, words := range []Words{{}, {Body: "New Message!"}, {Sender: true}, {Sender: true, Body: "Neue Nachricht"}} {
		for class := session.Silent; class < session.NumClasses; class++ {
			s := &server{asked: make(chan PublishRequest, 1), answer: func(int) error { return errors.New("enough") }}
			n := wake()
			n.Class = class
			n.Content = push.Content{Sender: "romeo@example.net", Body: "what he wrote", Encrypted: "AAAA"}
			New(s, says(words)).Send(t.Context(), n)
			want := words
			if class == session.Silent || class == session.Subscription {
				want.Body = ""
			}
			if got := <-s.asked; got.Words != want {
				t.Errorf("%v of %+v: %+v, want %+v", class, words, got.Words, want)
			}
		}
	}
}
