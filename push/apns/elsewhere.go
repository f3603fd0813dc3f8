package apns

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"strings"
	"sync"

	"github.com/sideshow/apns2"

	"rouse/push"
	"rouse/push/h2"
)

// Nowhere as Options.Other has tokens tried in their own environment only.
const Nowhere = "none"

// place is one of Apple's environments, with our connection to it.
type place struct {
	client    *apns2.Client
	transport *h2.Transport
	close     func()
}

func newPlace(host string, opts Options, cfg h2.Config) *place {
	var t *h2.Transport
	var end func()
	if opts.Key != nil {
		t, end = opts.Key.transport(host, cfg)
	} else {
		t = h2.New(cfg)
		end = t.Close
	}
	return &place{transport: t, close: sync.OnceFunc(end), client: &apns2.Client{
		Host: host, Certificate: opts.Certificate,
		HTTPClient: &http.Client{Transport: bearing{t, opts.Key}}, // its deadline is that of the context
	}}
}

// elsewhere is the environment that is not the app's. A build from Xcode has a
// token of the sandbox also where it registers with the service of the released
// app; at home Apple does not know it. It is tried here, once, and one that is
// taken is remembered, until rouse ends.
type elsewhere struct {
	*place

	mu    sync.Mutex
	known map[[16]byte]bool
	shut  bool // we are not let in with our credentials
}

// maxKnown bounds the tokens that are remembered.
const maxKnown = 4096

// newElsewhere gives nil where there is no other environment for the app.
func newElsewhere(opts Options, cfg h2.Config, home string) *elsewhere {
	host := strings.TrimSuffix(opts.Other, "/")
	switch {
	case host == Nowhere, host == "" && opts.Endpoint != "", oneEnvironment(opts.Certificate):
		return nil
	case host == "" && home == apns2.HostProduction:
		host = apns2.HostDevelopment
	case host == "":
		host = apns2.HostProduction
	}
	return &elsewhere{place: newPlace(host, opts, cfg), known: make(map[[16]byte]bool)}
}

// oneEnvironment reports whether a certificate says that it is for one only.
func oneEnvironment(c tls.Certificate) bool {
	return c.Leaf != nil && has(c.Leaf, development) != has(c.Leaf, production)
}

func name(token string) [16]byte {
	sum := sha256.Sum256([]byte(token))
	return [16]byte(sum[:16])
}

func (e *elsewhere) knows(token string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known[name(token)]
}

// learn keeps what came of a try, and reports whether it says something of the
// token.
func (e *elsewhere) learn(token string, r push.Result) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case r.Outcome.Stops():
		e.shut = true // a key can be for one environment only
		return false
	case unknownToken(r):
		delete(e.known, name(token))
		return false
	case r.Outcome != push.Delivered:
		return true
	}
	if len(e.known) >= maxKnown {
		for any := range e.known {
			delete(e.known, any)
			break
		}
	}
	e.known[name(token)] = true
	return true
}

func (e *elsewhere) open() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.shut
}

func unknownToken(r push.Result) bool { return strings.HasSuffix(r.Reason, " BadDeviceToken") }

// anywhere makes one try, in the environment that the token is of.
func (p *Provider) anywhere(ctx context.Context, out *apns2.Notification) push.Result {
	e := p.other
	if e == nil || !e.open() {
		return p.push(ctx, p.home, out)
	}
	if e.knows(out.DeviceToken) {
		if r := p.push(ctx, e.place, out); e.learn(out.DeviceToken, r) {
			return r
		}
		return p.push(ctx, p.home, out)
	}
	at := p.push(ctx, p.home, out)
	if !unknownToken(at) {
		return at
	}
	if r := p.push(ctx, e.place, out); e.learn(out.DeviceToken, r) {
		return r
	}
	return at
}
