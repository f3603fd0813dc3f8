package push

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rouse/session"
)

// service is a push service of a third party that can be dead.
type service struct {
	mu   sync.Mutex
	dead Result // zero: it lives
	took time.Duration
	asks []time.Time
}

func (s *service) Send(ctx context.Context, n Notification) Result {
	if n.Address.Service != "dead.example" {
		return Result{Outcome: Delivered}
	}
	s.mu.Lock()
	s.asks = append(s.asks, time.Now())
	r, took := s.dead, s.took
	s.mu.Unlock()
	pause(ctx, took)
	return r
}

func (s *service) Check(context.Context) error { return nil }

func (s *service) becomes(r Result, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead, s.took, s.asks = r, took, nil
}

func (s *service) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asks)
}

var silence = Result{Outcome: Unavailable, Reason: "no answer", Absent: true}

// TestDeadServiceStopsCosting: a push service that never answers is asked a few
// times, then once in ten minutes. No wake is lost, and when it is back all go out.
func TestDeadServiceStopsCosting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		var log bytes.Buffer
		s := &service{}
		s.becomes(silence, 3*time.Minute)
		w, stop := run(t, o, map[string]App{"": {Kind: "relay", PerService: true, Timeout: 200 * time.Second, Provider: s}},
			func(c *WorkersConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for i := range 100 {
			o.addFor("dead.example", fmt.Sprint(i), "", session.Message)
		}
		time.Sleep(30 * time.Minute)
		first := s.asked()
		if share := DefaultConcurrency / 8; first > share+5 {
			t.Errorf("asked %d times in half an hour, of which %d could be under way at once", first, share)
		}
		time.Sleep(24 * time.Hour)
		if n := s.asked() - first; n < 24*60/15 || n > 24*60/10 {
			t.Errorf("asked %d times in a day: each probe takes 3 minutes, and 10 lie between two", n)
		}
		start := time.Now()
		o.add("other", "", session.Message)
		synctest.Wait()
		if got := o.last(t, "other"); got.Verdict != session.Sent || got.At.Sub(start) > time.Second {
			t.Errorf("a wake of another service: %+v", got)
		}
		if o.left() != 100 || len(w.Stopped()) != 0 {
			t.Errorf("%d wakes are left, stopped are %v", o.left(), w.Stopped())
		}
		s.becomes(Result{}, 0)
		time.Sleep(30 * time.Minute)
		if n := o.left(); n != 0 {
			t.Errorf("%d wakes are left half an hour after the service came back", n)
		}
		stop()
		if n := strings.Count(log.String(), "nobody answers for a push service"); n != 1 || !strings.Contains(log.String(), "service=dead.example") {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
}

// TestPassingFaultStopsNothing: what a push service says of one wake is about that
// wake. Only silence of the service itself is held against it, and only in a row.
func TestPassingFaultStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		s := &service{}
		s.becomes(Result{Outcome: Unavailable, Reason: "wait internal-server-error"}, 0)
		run(t, o, map[string]App{"": {Kind: "relay", PerService: true, Provider: s}})
		o.addFor("dead.example", "1", "", session.Message)
		time.Sleep(time.Hour)
		if n := s.asked(); n < 12 {
			t.Errorf("asked %d times in an hour", n)
		}
		for range 3 {
			s.becomes(silence, 0)
			for s.asked() < absentAfter-1 {
				time.Sleep(time.Second)
			}
			s.becomes(Result{Outcome: Unavailable, Reason: "wait internal-server-error"}, 0)
			for s.asked() == 0 {
				time.Sleep(time.Second)
			}
		}
		s.becomes(Result{}, 0)
		o.addFor("dead.example", "2", "", session.Message)
		synctest.Wait()
		if got := o.last(t, "2"); got.Verdict != session.Sent {
			t.Errorf("%+v", got)
		}
	})
}

// TestProbeThatAskedNobody: a call is not waited for long enough, a link may be
// down. That neither ends nor lengthens the wait.
func TestProbeThatAskedNobody(t *testing.T) {
	a, now := newApp("", App{PerService: true}), time.Now()
	job := session.Job{Key: session.WakeKey{Address: session.Address{Service: "dead.example"}, Class: session.Message}}
	for i := range absentAfter {
		if stopped := a.heard(now, "dead.example", silence); stopped != (i == absentAfter-1) {
			t.Fatalf("stopped after %d: %t", i+1, stopped)
		}
	}
	for range 3 {
		if _, why := a.admit(now, job, 0); why == "" {
			t.Fatal("a wake got through while the service was stopped")
		}
		now = now.Add(ProbeEvery)
		if _, why := a.admit(now, job, 0); why != "" {
			t.Fatalf("no probe: %s", why)
		}
		if _, why := a.admit(now, job, 0); why == "" {
			t.Fatal("two probes at once")
		}
		a.heard(now, "dead.example", Result{Outcome: Unavailable, Unasked: true})
		a.release("dead.example")
	}
}

// TestAbsencesAreBounded: users choose what services their clients name.
func TestAbsencesAreBounded(t *testing.T) {
	a := newApp("", App{PerService: true})
	for i := range 2 * maxAbsent {
		a.heard(time.Now(), fmt.Sprint(i), silence)
	}
	if n := len(a.absent); n != maxAbsent {
		t.Errorf("%d are remembered", n)
	}
}
