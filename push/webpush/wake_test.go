package webpush

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

// queue is an outbox of what is put in once.
type queue struct {
	jobs    chan session.Job
	waiting []session.Job
	settled chan session.Settlement
}

func (q *queue) Claim(_ context.Context, max int) ([]session.Job, error) {
	n := min(max, len(q.waiting))
	jobs := q.waiting[:n]
	q.waiting = q.waiting[n:]
	return jobs, nil
}

func (q *queue) Wait(ctx context.Context) error {
	select {
	case j := <-q.jobs:
		q.waiting = append(q.waiting, j)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) Settle(_ context.Context, _ session.Job, s session.Settlement) error {
	q.settled <- s
	return nil
}

// lines is a log to be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The whole way of a wake: claimed, encrypted, sent, read by the app, settled; and
// the end of the subscription, of which the log has no secret.
func TestWake(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	token := w.Subscribe("juliet", p.PublicKey())
	q := &queue{jobs: make(chan session.Job), settled: make(chan session.Settlement, 1)}
	log := new(lines)
	workers := push.NewWorkers(push.WorkersConfig{
		Outbox: q, Apps: map[string]push.App{"web": {Kind: "webpush", Provider: p, Timeout: Timeout}},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- workers.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	try := func(class session.Class) session.Settlement {
		t.Helper()
		now := time.Now()
		j := session.Job{
			Owner: "juliet@example.org", ID: "1", Wake: session.Wake{Count: 2, Since: now, Due: now},
			Key:    session.WakeKey{Address: session.Address{Service: "push.example.org", Node: "node"}, Class: class},
			Target: session.Registration{Node: "node", App: "web", Token: token, Device: "device"},
		}
		select {
		case q.jobs <- j:
		case <-time.After(5 * time.Second):
			t.Fatal("nobody claims")
		}
		select {
		case s := <-q.settled:
			return s
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is settled")
		}
		return session.Settlement{}
	}

	if s := try(session.Call); s.Verdict != session.Sent || s.Why != "webpush: 201" {
		t.Errorf("%+v", s)
	}
	got := w.Delivered()
	if len(got) != 1 || string(got[0].Payload) != `{"account":"device","count":2}` || got[0].Priority != "high" || got[0].TTL > session.CallLife || got[0].Collapse != "" {
		t.Errorf("%+v", got)
	}
	w.Queue(pushtest.Reply{Status: 503, RetryAfter: "30"})
	if s := try(session.Message); s.Verdict != session.Again || time.Until(s.Due) < 29*time.Second {
		t.Errorf("%+v", s)
	}
	w.Unsubscribe(token)
	if s := try(session.Message); s.Verdict != session.Died || s.Why != "webpush: 410" {
		t.Errorf("%+v", s)
	}
	if len(workers.Stopped()) != 0 {
		t.Errorf("stopped: %v", workers.Stopped())
	}
	for _, secret := range strings.Fields(token) {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s:\n%s", secret, log)
		}
	}
	if !strings.Contains(log.String(), "the device is gone") {
		t.Errorf("the log:\n%s", log)
	}
}
