package webpush

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"rouse/push"
	"rouse/push/h2"
)

// The bounds of what push services may cost us.
const (
	Timeout = 10 * time.Second // for one try; they only have to take a message

	connsPerHost = 8
	idleConns    = 64
	idleClose    = 90 * time.Second
	maxHeader    = 64 << 10
	maxAnswer    = 8 << 10
	answerTime   = 2 * time.Second // for the body, once the status is there
	maxError     = 256

	// refusedDelay is how long a wake waits when a service refuses our key, and
	// others take it.
	refusedDelay = time.Hour
)

// Options say who we are, and how far a device may send us.
type Options struct {
	Key          *Key             // VAPID
	Contact      string           // whom a push service can write to: mailto: or https:
	AllowPrivate bool             // push services on private networks and on this machine
	Roots        *x509.CertPool   // whom to trust; nil: the system's
	Resolver     *net.Resolver    // nil: the system's
	Now          func() time.Time // nil: time.Now
}

// Provider sends for one app.
type Provider struct {
	tokens    *tokens
	now       func() time.Time
	dialer    *dialer
	transport *http.Transport
	proved    atomic.Bool // some push service has taken our key
}

var _ push.Provider = (*Provider)(nil)

// New makes a provider. Nothing is dialled before the first push.
func New(opts Options) (*Provider, error) {
	if opts.Key == nil {
		return nil, errors.New("there is no VAPID key")
	}
	if !strings.HasPrefix(opts.Contact, "mailto:") && !strings.HasPrefix(opts.Contact, "https:") {
		return nil, errors.New("contact is not an address of mailto: or https: that could be written to")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	limit := public
	if opts.AllowPrivate {
		limit = private
	}
	p := &Provider{
		tokens: &tokens{key: opts.Key, contact: opts.Contact, now: opts.Now},
		now:    opts.Now,
		dialer: newDialer(opts.Resolver, func(ip netip.Addr) bool { return kindOf(ip) <= limit }),
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	p.transport = &http.Transport{
		Proxy:                  nil, // a proxy would resolve names where we cannot look
		DialContext:            p.dialer.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opts.Roots},
		TLSHandshakeTimeout:    dialTime,
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: dialTime, WriteByteTimeout: dialTime},
		MaxConnsPerHost:        connsPerHost,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    connsPerHost,
		IdleConnTimeout:        idleClose,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	return p, nil
}

// PublicKey is what apps have to subscribe with.
func (p *Provider) PublicKey() string { return p.tokens.key.Public() }

// Token gives the text form of what an app got from its push service, as the W3C
// Push API has it, or says what is wrong with it. Names are looked up when they
// are dialled, but an address that will never do is refused at once. Its errors
// never hold a part of the subscription.
func (p *Provider) Token(endpoint, p256dh, auth string) (string, error) {
	token := endpoint + " " + strings.TrimRight(p256dh, "=") + " " + strings.TrimRight(auth, "=")
	sub, err := Parse(token)
	if err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(sub.Endpoint.Hostname()); err == nil && !p.dialer.allowed(ip) {
		return "", errors.New("the endpoint is not on the public Internet")
	}
	return token, nil
}

// Close ends connections, and messages under way with them.
func (p *Provider) Close() error {
	p.dialer.close()
	p.transport.CloseIdleConnections()
	return nil
}

// Send makes one try: one request.
func (p *Provider) Send(ctx context.Context, n push.Notification) push.Result {
	sub, err := Parse(n.Target.Token)
	if err != nil {
		return push.Result{Outcome: push.TokenGone, Doubtful: true, Reason: "not a subscription", Err: err,
			Remedy: "if this happens to every device, look at provider: the app's devices have tokens of another one"}
	}
	req, err := p.request(ctx, sub, n)
	if err != nil {
		return push.Result{Outcome: push.BadRequest, Reason: "not sent", Err: scrub(err, sub), Remedy: ourMistake}
	}
	// Without http.Client nothing follows redirects and nothing keeps cookies.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := p.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return unreached(err, sub)
	}
	defer resp.Body.Close()
	timer := time.AfterFunc(answerTime, cancel)
	defer timer.Stop()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status has come: a body that breaks off takes nothing back

	f := parseFault(body)
	r := classify(resp.StatusCode, f)
	r.Reason = strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, f.word))
	if r.Outcome == push.Delivered {
		r.Reason = fmt.Sprint(resp.StatusCode)
	} else {
		r.RetryAfter = h2.RetryAfter(resp.Header.Get("Retry-After"), p.now())
	}
	return p.weigh(r)
}

// weigh keeps one push service from stopping the app: devices choose theirs, and
// anybody can run one that refuses everything. As long as none has taken our key
// since we started, a refusal may well be about the key, and stops the app. After
// that it is about this subscription: the wake waits, the registration stays.
func (p *Provider) weigh(r push.Result) push.Result {
	switch {
	case r.Outcome == push.Delivered:
		p.proved.Store(true)
	case r.Outcome == push.BadCredentials && p.proved.Load():
		r.Outcome, r.RetryAfter, r.Remedy = push.Unavailable, max(r.RetryAfter, refusedDelay), otherKey
	}
	return r
}

func (p *Provider) request(ctx context.Context, sub Subscription, n push.Notification) (*http.Request, error) {
	plain, err := payload(n)
	if err != nil {
		return nil, err
	}
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("a payload of %d bytes is more than push services take", len(plain))
	}
	body, err := encrypt(sub, plain)
	if err != nil {
		return nil, err
	}
	authorization, err := p.tokens.header(sub.Origin())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header(n, p.now())
	req.Header.Set("Authorization", authorization)
	req.Header.Set("User-Agent", "rouse")
	return req, nil
}

// unreached is for tries without an answer.
func unreached(err error, sub Subscription) push.Result {
	r := push.Result{Outcome: push.Unavailable, Reason: "no answer", Err: scrub(err, sub)}
	var refused *refusedError
	var untrusted *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case errors.As(err, &refused):
		r.Outcome, r.Unfit, r.Reason, r.Remedy = push.BadRequest, true, "not a public address", notPublic
	case errors.As(err, &untrusted):
		r.Reason, r.Remedy = "not trusted", "if the push service is your own, look at ca_file"
	case errors.Is(err, context.DeadlineExceeded):
		r.Reason = "no answer in time"
	case errors.As(err, &dns) && dns.IsNotFound:
		r.Reason = "no such host"
	}
	return r
}

// scrub gives the error without what makes the endpoint a secret, and not longer
// than a line: some of it may be the push service's.
func scrub(err error, sub Subscription) error {
	text := push.Scrub(err, sub.Endpoint.String()).Error()
	if secret := sub.Endpoint.RequestURI(); secret != "/" {
		text = strings.ReplaceAll(text, secret, "[token]")
	}
	return errors.New(strings.ToValidUTF8(text[:min(len(text), maxError)], ""))
}

// Check proves what can be proved without a subscription: that the key signs. Only
// a push service can say more, and only of a device that it knows.
func (p *Provider) Check(context.Context) error {
	if _, err := p.tokens.key.sign("https://push.example.net", p.tokens.contact, p.now()); err != nil {
		return push.Remedied(fmt.Errorf("the VAPID key does not sign: %w", err), anyKey)
	}
	return nil
}
