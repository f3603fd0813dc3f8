package component_test

import (
	"context"
	"encoding/xml"
	"testing"
	"testing/synctest"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/componenttest"
)

// TestCut: a process that may not have the link any more lets go of it at once,
// whatever is under way, and whether it was about to end anyway.
func TestCut(t *testing.T) {
	for name, draining := range map[string]bool{"serving": false, "draining": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := componenttest.NewPipe(t, componenttest.Options{})
				c := newComponent(t, config(s))
				told := make(chan time.Time, 1)
				c.HandleIQ(xmpp.SetIQ, xml.Name{Space: "urn:example", Local: "slow"}, func(ctx context.Context, _ component.IQ, reply func(component.Answer)) {
					<-ctx.Done()
					told <- time.Now()
				})
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- c.Run(ctx) }()
				link := s.Accept(t)
				link.Send("<iq type='set' id='1' from='example.org' to='push.example.org'><slow xmlns='urn:example'/></iq>")
				synctest.Wait()
				if draining {
					stop()
					time.Sleep(time.Second)
					synctest.Wait()
				}
				at := time.Now()
				c.Cut()
				if err := <-done; err != nil || time.Since(at) != 0 {
					t.Errorf("Run ended with %v after %v", err, time.Since(at))
				}
				if when := <-told; !when.Equal(at) {
					t.Errorf("the handler was told %v later", when.Sub(at))
				}
				<-link.Ended()
				time.Sleep(time.Minute)
				if n := len(s.Tries()); n != 1 || c.Connected() {
					t.Errorf("%d tries, connected: %v", n, c.Connected())
				}
				stop()
			})
		})
	}
}

// TestCutWhileItIsDown: there is no further try.
func TestCutWhileItIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{Refuse: []string{"conflict", "conflict"}})
		c := newComponent(t, config(s))
		done := make(chan error, 1)
		go func() { done <- c.Run(t.Context()) }()
		synctest.Wait() // the first try was refused
		c.Cut()
		if err := <-done; err != nil || len(s.Tries()) != 1 {
			t.Errorf("Run: %v; %d tries", err, len(s.Tries()))
		}
	})
}

// TestEager: who has just got the right to the link does not back off from the
// one who lost it.
func TestEager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := make([]string, 60)
		for i := range refuse {
			refuse[i] = "conflict"
		}
		s := componenttest.NewPipe(t, componenttest.Options{Refuse: refuse})
		cfg := config(s)
		cfg.Eager = 10 * time.Second
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- newComponent(t, cfg).Run(ctx) }()
		time.Sleep(3 * time.Minute)
		stop()
		<-done
		tries := s.Tries()
		if !tries[0].Equal(began) {
			t.Errorf("the first try came after %v", tries[0].Sub(began))
		}
		longest := time.Duration(0)
		for i, at := range tries[1:] {
			gap := at.Sub(tries[i])
			if at.Sub(began) < cfg.Eager && gap > time.Second {
				t.Errorf("a try after %v, %v after the one before", at.Sub(began), gap)
			}
			longest = max(longest, gap)
		}
		if longest < component.Backoff(9, 0) {
			t.Errorf("it never came to back off: at most %v between tries", longest)
		}
	})
}
