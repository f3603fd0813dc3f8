package apns

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sideshow/apns2"

	"rouse/push"
	"rouse/push/h2"
	"rouse/push/profile"
	"rouse/session"
)

// Options say which app is woken, and as whom.
type Options struct {
	Topic       string          // bundle id
	Sandbox     bool            // Apple's development environment
	Key         *Key            // shared by all apps of that key; or
	Certificate tls.Certificate // see ReadCertificate
	VoIP        bool            // calls are VoIP pushes: the app must report each to CallKit
	Proxy       *url.URL        // see h2.Config
	Profile     profile.Profile // what the app parses
	Endpoint    string          // another base URL; empty: Apple's
	Roots       *x509.CertPool  // whom to trust; nil: the system's
}

// Provider sends for one app in one environment.
type Provider struct {
	opts      Options
	client    *apns2.Client
	transport *h2.Transport
	expires   time.Time // of the certificate; zero: there is none
}

var _ push.Provider = (*Provider)(nil)

// New makes a provider. Nothing is dialled before the first push.
func New(opts Options) (*Provider, error) {
	p := &Provider{opts: opts}
	if opts.Topic == "" {
		return nil, errors.New("topic is missing: the bundle id of the app")
	}
	cfg := h2.Config{Roots: opts.Roots, Proxy: opts.Proxy}
	p.client = &apns2.Client{Host: strings.TrimSuffix(opts.Endpoint, "/")}
	switch {
	case opts.Key != nil && len(opts.Certificate.Certificate) > 0:
		return nil, errors.New("there are both a signing key and a certificate; one of them must go")
	case opts.Key != nil:
		// apns2 would sign by itself, another token after every start.
	case len(opts.Certificate.Certificate) > 0:
		leaf, err := x509.ParseCertificate(opts.Certificate.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		if err := suits(leaf, opts); err != nil {
			return nil, err
		}
		p.expires = leaf.NotAfter
		cfg.Certificates = []tls.Certificate{opts.Certificate}
		p.client.Certificate = opts.Certificate
	default:
		return nil, errors.New("there is neither a signing key nor a certificate")
	}
	if p.client.Host == "" {
		// Development and Production of apns2 change a client for all its users, so
		// each environment has one of its own.
		p.client.Host = apns2.HostProduction
		if opts.Sandbox {
			p.client.Host = apns2.HostDevelopment
		}
	}
	p.transport = h2.New(cfg)
	p.client.HTTPClient = &http.Client{Transport: bearing{p.transport, opts.Key}} // its deadline is that of the context
	return p, nil
}

// bearing puts the provider token on requests, where there is a key for one.
type bearing struct {
	*h2.Transport
	key *Key
}

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.key == nil {
		return b.Transport.RoundTrip(r)
	}
	bearer, err := b.key.bearer()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("authorization", "bearer "+bearer)
	return b.Transport.RoundTrip(r)
}

// Close ends the connection, and pushes under way with it.
func (p *Provider) Close() error {
	p.transport.Close()
	return nil
}

// Send makes one try. Only where Apple found the provider token too old, and there
// is a newer one by now, the push is repeated, once.
func (p *Provider) Send(ctx context.Context, n push.Notification) push.Result {
	now := time.Now()
	content, err := p.opts.Profile.Apple(n, p.opts.VoIP)
	if err != nil {
		return push.Result{Outcome: push.BadRequest, Reason: "not sent", Err: push.Scrub(err, n.Target.Token), Remedy: ourMistake}
	}
	if !plain(n.Target.Token) {
		return push.Result{Outcome: push.TokenGone, Doubtful: true, Reason: "not an APNs token", Remedy: reasons["BadDeviceToken"].remedy}
	}
	if !p.expires.IsZero() && now.After(p.expires) {
		return push.Result{Outcome: push.BadCredentials, Reason: "certificate expired",
			Err: fmt.Errorf("the certificate ended on %s", p.expires.Format(time.DateOnly)), Remedy: "get a new certificate_file from Apple"}
	}
	if content.Token != n.Target.Token {
		if r := p.second(ctx, n, content, now); r.Outcome != push.TokenGone {
			return r
		}
		// The end of a second token says nothing of the device: it is shown the call.
		n.Content.CallToken = ""
		if content, err = p.opts.Profile.Apple(n, false); err != nil {
			return push.Result{Outcome: push.BadRequest, Reason: "not sent", Err: push.Scrub(err, n.Target.Token), Remedy: ourMistake}
		}
	}
	return p.push(ctx, p.build(n, content, now))
}

// second pushes a call to the device's second token.
func (p *Provider) second(ctx context.Context, n push.Notification, content profile.ApplePush, now time.Time) push.Result {
	if !plain(content.Token) {
		return push.Result{Outcome: push.TokenGone}
	}
	return p.push(ctx, p.build(n, content, now))
}

// push makes one try with one payload.
func (p *Provider) push(ctx context.Context, out *apns2.Notification) push.Result {
	if p.opts.Key == nil {
		return p.try(ctx, out)
	}
	before, _ := p.opts.Key.bearer() // without one the request says why
	r := p.try(ctx, out)
	if strings.HasSuffix(r.Reason, " ExpiredProviderToken") {
		if now, err := p.opts.Key.bearer(); err == nil && now != before {
			return p.try(ctx, out)
		}
	}
	return r
}

func (p *Provider) try(ctx context.Context, out *apns2.Notification) push.Result {
	ctx, note := h2.Noting(ctx)
	resp, err := p.client.PushWithContext(ctx, out)
	switch {
	case note.Status == 0:
		if note.Err != nil {
			err = note.Err // the bare cause, without the URL around it
		}
		return p.unreached(err, out.DeviceToken)
	case err != nil: // an answer that is not Apple's JSON
		resp = &apns2.Response{}
		if note.Status == http.StatusOK {
			return push.Result{Outcome: push.Unavailable, Reason: "200 with a body that is not Apple's", RetryAfter: note.RetryAfter,
				Err: push.Scrub(err, out.DeviceToken), Remedy: "look at endpoint: something other than APNs answers"}
		}
	}
	a := classify(note.Status, resp.Reason)
	r := push.Result{
		Outcome:    a.outcome,
		Doubtful:   a.doubtful,
		Reason:     strings.TrimSpace(fmt.Sprintf("%d %s", note.Status, word(strings.ReplaceAll(resp.Reason, out.DeviceToken, "")))),
		RetryAfter: note.RetryAfter,
		Since:      resp.Timestamp.Time,
		Remedy:     a.remedy,
		Err:        push.Scrub(err, out.DeviceToken),
	}
	return r
}

// unreached is for tries without an answer.
func (p *Provider) unreached(err error, token string) push.Result {
	r := push.Result{Outcome: push.Unavailable, Reason: "no answer", Err: push.Scrub(err, token)}
	var op *net.OpError
	var untrusted x509.UnknownAuthorityError
	var proxy *h2.ProxyError
	switch {
	case !p.expires.IsZero() && errors.As(err, &op) && op.Op == "remote error":
		// TLS itself refused our certificate (RFC 8446 §6.2).
		r.Outcome, r.Reason, r.Remedy = push.BadCredentials, "certificate refused", reasons["BadCertificate"].remedy
	case errors.As(err, &proxy):
		r.Reason, r.Remedy = "no way through the proxy", proxy.Remedy()
	case errors.As(err, &untrusted):
		r.Reason, r.Remedy = "not trusted", "look at endpoint and ca_file: the server's certificate is of an unknown authority"
	case errors.Is(err, context.DeadlineExceeded):
		r.Reason = "no answer in time"
	}
	return r
}

// plain reports whether a token can stand in a path as it is: Apple's are hex.
func plain(token string) bool {
	if token == "" || len(token) > 400 {
		return false
	}
	for _, c := range token {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

// word keeps of a reason what can stand in records: Apple's are single words.
func word(reason string) string {
	for i, c := range reason {
		if i >= 64 || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return reason[:i]
		}
	}
	return reason
}

// Check pushes to a token that cannot exist: that Apple complains about the
// token and nothing else proves the credentials.
func (p *Provider) Check(ctx context.Context) error {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	h := hex.EncodeToString(id[:])
	r := p.Send(ctx, push.Notification{
		ID:     h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:],
		Class:  session.Message,
		Target: session.Registration{Token: strings.Repeat("0", 64), Device: "check"},
	})
	if r.Outcome == push.TokenGone {
		return nil
	}
	err := fmt.Errorf("%s answers %q to a made-up token (expected: 400 BadDeviceToken)", p.client.Host, r.Reason)
	if r.Err != nil {
		err = fmt.Errorf("%w: %w", err, r.Err)
	}
	return push.Remedied(err, r.Remedy)
}
