package component

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"rouse/component/stanza"
)

// Run keeps the component connected until ctx ends, and then lets the handlers
// under way answer, for DrainTimeout at most, and ends the stream (see also Cut).
// It returns nil; only a second call is an error.
func (c *Component) Run(ctx context.Context) error {
	c.mu.Lock()
	again := c.ran
	c.ran = true
	c.mu.Unlock()
	if again {
		return errors.New("component: Run was called before")
	}
	c.warnOfPlainText()

	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(c.cut, end)()
	// Handlers outlive ctx by the time they get to drain.
	handlers, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer c.work.wait()
	defer cancel()
	drain := sync.OnceFunc(func() {
		c.work.stop()
		if !c.work.waitIdle(c.cut, c.cfg.DrainTimeout) {
			cancel() // has the rest answered with wait
			c.work.waitIdle(c.cut, closing)
		}
	})
	began := time.Now()

	// Addresses are tried in turn, beginning with the first whenever a link was
	// up, with a pause when all have failed.
	for try, attempt := 0, 0; ctx.Err() == nil; try++ {
		address := c.cfg.Addresses[try%len(c.cfg.Addresses)]
		up, cause := c.once(ctx, handlers, drain, address)
		if ctx.Err() != nil || c.cut.Err() != nil {
			break
		}
		if up > 0 {
			try = -1
		}
		if up >= stableAfter {
			attempt = 0
		}
		var wait time.Duration
		if (try+1)%len(c.cfg.Addresses) == 0 {
			wait = Backoff(attempt, c.randomFraction())
			if time.Since(began) >= c.cfg.Eager {
				attempt++
			}
		}
		c.log.Warn("link is down", "address", address, "cause", cause, "remedy", remedy(cause, c.cfg.JID.String()), "retry_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
	}
	drain()
	return nil
}

// once makes a link and lives with it. It returns for how long the link was
// up, and why it is not any more.
func (c *Component) once(ctx, handlers context.Context, drain func(), address string) (up time.Duration, cause error) {
	c.cfg.OnState(State{Kind: Connecting, Address: address})
	l, cause := c.connect(ctx, address)
	if cause == nil {
		since := time.Now()
		c.link.Store(l)
		c.log.Info("link is up", "address", address)
		c.cfg.OnState(State{Kind: Up, Address: address})
		cause = c.serve(ctx, handlers, drain, l)
		up = max(time.Since(since), 1)
	}
	c.cfg.OnState(State{Kind: Down, Address: address, Cause: cause})
	return up, cause
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// remedy says what an operator can do about a link that broke.
func remedy(cause error, addr string) string {
	var se *stanza.StreamError
	if errors.As(cause, &se) {
		switch se.Condition {
		case "conflict":
			return fmt.Sprintf("another connection has this address: stop a second rouse that works on another store, or wait until the server notices that the old link is dead; several rouse processes on one store need component_conflict_resolve = \"kick_old\" below Component %q (Prosody), which does not wait", addr)
		case "not-authorized":
			return "the secret differs: compare component.secret with component_secret (Prosody) or password under ejabberd_service"
		case "host-unknown":
			return fmt.Sprintf("the server has no such component: add Component %q (Prosody) or hosts: %q under ejabberd_service, and restart Prosody or reload ejabberd", addr, addr)
		case "invalid-from", "invalid-namespace", "not-well-formed", "unsupported-stanza-type", "policy-violation":
			return "the server did not like what was sent: a fault of rouse, please report it with the log"
		case "system-shutdown", "reset":
			return "the server restarts: wait"
		}
		return "see the log of the server"
	}
	var syntax *stanza.SyntaxError
	var dns *net.DNSError
	switch {
	case errors.As(cause, &syntax):
		return "is this the component port of an XMPP server (5347 as a rule)? not the port for clients or servers"
	case errors.As(cause, &dns):
		return "check the host name in component.address"
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "is the server running, and listening for components there (Prosody: component_ports, component_interfaces; ejabberd: ejabberd_service)?"
	case errors.Is(cause, errSilent):
		return "a firewall or a frozen server: see whether the server answers others"
	}
	return "none needed if the server restarts; else see its log"
}
