package component

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/stanza"
)

// Config says how a component lives on its server. JID, Addresses and Secret
// are needed; the zero value of everything else means its default.
type Config struct {
	JID       jid.JID                // the component's domain
	Addresses []string               // host:port of the server, tried in turn
	Secret    func() (string, error) // the shared secret, asked for at every try

	Limits        stanza.Limits // of a stanza read
	MaxSent       int           // bytes of a stanza written; default 512 KiB, beyond which Prosody ends the stream
	Workers       int           // handlers that run at a time; default 64
	MaxUnanswered int           // IQs taken and not yet answered; default 4096
	MaxPerOwner   int           // the same for one owner; default 1024
	MaxHeld       int           // bytes of stanzas taken and not yet answered; default 64 MiB
	MaxRequests   int           // requests of ours under way; default 4096

	// Owner names who an IQ belongs to: those of one owner are handled one
	// after the other. Default the bare address of the sender.
	Owner func(IQ) string

	DialTimeout   time.Duration // connecting and handshake, each; default 10 s
	Idle          time.Duration // silence after which we ping, and again after which the link is given up; default 30 s
	WriteTimeout  time.Duration // default 10 s
	AnswerTimeout time.Duration // for a handler to answer an IQ; default 60 s
	DrainTimeout  time.Duration // for handlers under way when Run is to end; default 10 s
	Eager         time.Duration // after the start of Run, in which a try follows the one before within a second; default none

	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // default net.Dialer
	Rand    io.Reader                                                            // default crypto/rand
	Logger  *slog.Logger                                                         // default discards
	OnState func(State)                                                          // called in Run's goroutine
}

// State tells how the link is. Cause says why it is down.
type State struct {
	Kind    StateKind
	Address string
	Cause   error
}

// StateKind is what the link does at the moment.
type StateKind uint8

// The link is being made, is up, or is down until the next try.
const (
	Connecting StateKind = iota
	Up
	Down
)

func (k StateKind) String() string {
	switch k {
	case Connecting:
		return "connecting"
	case Up:
		return "up"
	}
	return "down"
}

func (c Config) withDefaults() (Config, error) {
	if c.JID.Domainpart() == "" || !c.JID.Equal(c.JID.Domain()) {
		return c, fmt.Errorf("component: the address %q is not a domain", c.JID)
	}
	if len(c.Addresses) == 0 {
		return c, errors.New("component: no address to connect to")
	}
	if c.Secret == nil {
		return c, errors.New("component: no secret")
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&c.MaxSent, 512 << 10}, {&c.Workers, 64}, {&c.MaxUnanswered, 4096}, {&c.MaxPerOwner, 1024}, {&c.MaxHeld, 64 << 20}, {&c.MaxRequests, 4096}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&c.DialTimeout, 10 * time.Second}, {&c.Idle, 30 * time.Second}, {&c.WriteTimeout, 10 * time.Second},
		{&c.AnswerTimeout, time.Minute}, {&c.DrainTimeout, 10 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if c.Owner == nil {
		c.Owner = func(iq IQ) string { return iq.From.Bare().String() }
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnState == nil {
		c.OnState = func(State) {}
	}
	return c, nil
}

// StaticSecret is a Config.Secret that never changes.
func StaticSecret(s string) func() (string, error) {
	return func() (string, error) { return s, nil }
}

// warnOfPlainText says which addresses carry the stream, and with it what
// could be used to speak in the component's name, over a network in the open.
func (c *Component) warnOfPlainText() {
	for _, a := range c.cfg.Addresses {
		if !loopback(a) {
			c.log.Warn("the link to the server is not encrypted and leaves this machine: XEP-0114 has no TLS; use a loopback address, or a tunnel (WireGuard, stunnel, SSH)", "address", a)
		}
	}
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
