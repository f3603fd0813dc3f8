package component_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
)

func TestNewNeeds(t *testing.T) {
	good := component.Config{JID: jid.MustParse("push.example.org"), Addresses: []string{"127.0.0.1:5347"}, Secret: component.StaticSecret("x")}
	for want, spoil := range map[string]func(*component.Config){
		"not a domain": func(c *component.Config) { c.JID = jid.MustParse("a@b") },
		"no address":   func(c *component.Config) { c.Addresses = nil },
		"no secret":    func(c *component.Config) { c.Secret = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := component.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := component.New(good); err != nil {
		t.Error(err)
	}
}

func TestReconnectSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := []string{"conflict", "not-authorized", "host-unknown", "conflict", "conflict"}
		s := componenttest.NewPipe(t, componenttest.Options{Refuse: refuse})
		var log record
		cfg := config(s)
		cfg.Logger = log.logger()
		var states []component.State
		cfg.OnState = func(s component.State) { states = append(states, s) }
		link := s.Start(t, newComponent(t, cfg))
		tries := s.Tries()
		if len(tries) != len(refuse)+1 {
			t.Fatalf("%d tries", len(tries))
		}
		for i := range refuse {
			gap := tries[i+1].Sub(tries[i])
			if lo, hi := component.Backoff(i, 0), component.Backoff(i, 1); gap < lo || gap > hi {
				t.Errorf("try %d came after %v, want between %v and %v", i+1, gap, lo, hi)
			}
		}
		link.Alive(t)
		synctest.Wait()
		var conflict *stanza.StreamError
		if !errors.As(states[1].Cause, &conflict) || conflict.Condition != "conflict" || states[1].Kind != component.Down {
			t.Errorf("got state %v", states[1])
		}
		if last := states[len(states)-1]; last.Kind != component.Up {
			t.Errorf("got last state %v", last)
		}
		for _, remedy := range []string{"kick_old", "component_secret", `Component \"push.example.org\"`} {
			if !strings.Contains(log.String(), remedy) {
				t.Errorf("the log does not mention %s:\n%s", remedy, log.String())
			}
		}
		if strings.Contains(log.String(), componenttest.Secret) {
			t.Error("the secret is in the log")
		}
	})
}

func TestReconnectsWithinASecond(t *testing.T) {
	for name, breakIt := range map[string]func(l *componenttest.Link){
		"ill-formed":  func(l *componenttest.Link) { l.Send("<a></b>") },
		"clean close": func(l *componenttest.Link) { l.Send("</stream:stream>") },
		"cut":         func(l *componenttest.Link) { l.Drop() },
		"stream error": func(l *componenttest.Link) {
			l.Send("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := componenttest.NewPipe(t, componenttest.Options{})
				c := newComponent(t, config(s))
				link := s.Start(t, c)
				time.Sleep(65 * time.Second) // pings keep it
				if !c.Connected() {
					t.Fatal("not connected")
				}
				broken := time.Now()
				breakIt(link)
				<-link.Ended()
				s.Accept(t).Alive(t)
				if d := time.Since(broken); d > time.Second {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

func TestTellsTheServerWhatWasIllFormed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		link := s.Start(t, newComponent(t, config(s)))
		link.Send("<iq><!-- x --></iq>")
		<-link.Ended()
		var se *stanza.StreamError
		if !errors.As(link.Err(), &se) || se.Condition != "not-well-formed" {
			t.Errorf("got %v", link.Err())
		}
	})
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		cfg := config(s)
		cfg.Addresses = []string{"dead:1", "localhost:2"}
		var dialled []string
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			if address == "dead:1" {
				return nil, errors.New("refused")
			}
			return s.Dial(ctx, network, address)
		}
		began := time.Now()
		link := s.Start(t, newComponent(t, cfg))
		if time.Since(began) != 0 {
			t.Errorf("the second address was tried after %v", time.Since(began))
		}
		link.Drop()
		s.Accept(t)
		if got := strings.Join(dialled, " "); got != "dead:1 localhost:2 dead:1 localhost:2" {
			t.Errorf("dialled %s", got)
		}
	})
}

func TestSilentServerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		link := s.Start(t, newComponent(t, config(s)))
		time.Sleep(time.Hour) // our pings come back
		select {
		case <-link.Ended():
			t.Fatal("an idle link was left")
		default:
		}
		link.Silence()
		silent := time.Now()
		<-link.Ended()
		if d := time.Since(silent); d < 30*time.Second || d > 61*time.Second {
			t.Errorf("left after %v", d)
		}
		s.Accept(t)
	})
}

func TestServerThatNeverAnswersTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		cfg := config(s)
		first := true
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if first {
				first = false
				ours, theirs := net.Pipe()
				go func() { io.Copy(io.Discard, theirs); theirs.Close() }()
				return ours, nil
			}
			return s.Dial(ctx, network, address)
		}
		var log record
		cfg.Logger = log.logger()
		began := time.Now()
		s.Start(t, newComponent(t, cfg))
		if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("took %v", d)
		}
		if !strings.Contains(log.String(), "no handshake within 10s") {
			t.Errorf("log: %s", log.String())
		}
	})
}

func TestWarnsOfPlainText(t *testing.T) {
	for address, warn := range map[string]bool{
		"127.0.0.1:5347": false, "[::1]:5347": false, "localhost:5347": false,
		"192.0.2.1:5347": true, "xmpp.example.org:5347": true, "nonsense": true,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := componenttest.NewPipe(t, componenttest.Options{})
			cfg := config(s)
			cfg.Addresses = []string{address}
			var log record
			cfg.Logger = log.logger()
			link := s.Start(t, newComponent(t, cfg))
			link.Drop()
			s.Accept(t)
			n := strings.Count(log.String(), "not encrypted")
			if warn && n != 1 || !warn && n != 0 {
				t.Errorf("%s: %d warnings", address, n)
			}
		})
	}
}

func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := componenttest.NewPipe(t, componenttest.Options{})
		c := newComponent(t, config(s))
		s.Start(t, c)
		if err := c.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}

func TestRunEndsInEveryState(t *testing.T) {
	never := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	mute := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { io.Copy(io.Discard, theirs); theirs.Close() }()
		return ours, nil
	}
	refused := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"connecting": never, "handshake": mute, "waiting": refused,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := component.Config{JID: jid.MustParse("push.example.org"), Addresses: []string{"localhost:1"}, Secret: component.StaticSecret("x"), Dial: dial}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- newComponent(t, cfg).Run(ctx) }()
				synctest.Wait()
				cancel()
				began := time.Now()
				if err := <-done; err != nil || time.Since(began) != 0 {
					t.Errorf("Run ended with %v after %v", err, time.Since(began))
				}
			})
		})
	}
}
