package main

import (
	"testing"
	"time"

	"rouse/servers/lab"
)

// TestStoppedBeforeTheAckWasLate: a stanza went to a phone that is silent, and the
// server ends before it notices. The desktop has seen it; the phone is woken.
func TestStoppedBeforeTheAckWasLate(t *testing.T) {
	both(t, wish{ackDelay: 5 * time.Second, alone: true}, func(t *testing.T, p *play) {
		phone := p.device("phone")
		p.client("juliet", "desk", lab.ClientOptions{})
		p.must(phone.Freeze(p.ctx))
		p.chat("m1")
		p.must(p.server.Stop(p.ctx))
		p.must(p.server.Start(p.ctx))
		_, err := p.romeo.Login(p.ctx)
		p.must(err)
		p.wants("phone")
	})
}
