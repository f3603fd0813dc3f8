package fcm

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/messaging"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"

	"rouse/push"
	"rouse/push/h2"
	"rouse/push/profile"
	"rouse/session"
)

const (
	scope  = "https://www.googleapis.com/auth/firebase.messaging"
	maxTTL = 28 * 24 * time.Hour
)

// Options say which app is woken, and as whom.
type Options struct {
	Credentials []byte          // the service account's file (JSON); its token_uri is honoured
	Endpoint    string          // another base URL, without /v1; empty: Google's
	Roots       *x509.CertPool  // whom to trust, for token_uri too; nil: the system's
	Proxy       *url.URL        // see h2.Config; for token_uri too
	Profile     profile.Profile // what the app parses
}

// Provider sends for one app.
type Provider struct {
	project   string
	profile   profile.Profile
	client    *messaging.Client
	transport *transport
	oauth     *http.Transport
}

var _ push.Provider = (*Provider)(nil)

// New makes a provider. Nothing is dialled before the first push.
func New(opts Options) (*Provider, error) {
	account, err := google.JWTConfigFromJSON(opts.Credentials, scope)
	if err != nil {
		return nil, fmt.Errorf("not the file of a service account: %w", err)
	}
	var file struct {
		ProjectID string `json:"project_id"`
	}
	if err := json.Unmarshal(opts.Credentials, &file); err != nil || file.ProjectID == "" {
		return nil, errors.New("not the file of a service account: project_id is missing")
	}
	if err := signs(account.PrivateKey); err != nil {
		return nil, fmt.Errorf("private_key of the service account: %w", err)
	}
	p := &Provider{
		project: file.ProjectID,
		profile: opts.Profile,
		oauth: &http.Transport{
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opts.Roots},
			Proxy:                 http.ProxyURL(opts.Proxy), // none: not even one from the environment
			ForceAttemptHTTP2:     true,
			MaxConnsPerHost:       1,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: fetchTime,
		},
	}
	p.transport = &transport{base: h2.New(h2.Config{Roots: opts.Roots, Proxy: opts.Proxy}), tokens: &tokens{
		now: time.Now,
		fetch: func(ctx context.Context) (*oauth2.Token, error) {
			ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: bound{ctx, p.oauth, p.transport.base.Date}})
			token, err := account.TokenSource(ctx).Token()
			if err == nil && token.AccessToken == "" {
				err = errors.New("the token endpoint gave no access token")
			}
			return token, asGrantError(err)
		},
	}}
	options := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: p.transport})}
	if opts.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(opts.Endpoint, "/")+"/v1"))
	}
	ctx := context.Background() // only kept by options that we do not use
	app, err := firebase.NewApp(ctx, &firebase.Config{ProjectID: file.ProjectID}, options...)
	if err != nil {
		return nil, err
	}
	p.client, err = app.Messaging(ctx)
	return p, err
}

// bound gives requests a context that golang.org/x/oauth2/jwt does not give them.
type bound struct {
	ctx  context.Context
	base http.RoundTripper
	told func(http.Header, time.Time) // the time, by an answer
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := b.base.RoundTrip(r.WithContext(b.ctx))
	if err == nil {
		b.told(resp.Header, asked)
	}
	return resp, err
}

// Close ends the connection, and messages under way with it.
func (p *Provider) Close() error {
	p.transport.tokens.close()
	p.transport.base.Close()
	p.oauth.CloseIdleConnections()
	return nil
}

// Clock is that of h2.Transport.
func (p *Provider) Clock() (ahead time.Duration, told bool) { return p.transport.base.Clock() }

// Send makes one try: one request.
func (p *Provider) Send(ctx context.Context, n push.Notification) push.Result {
	return p.try(ctx, n, p.client.Send)
}

func (p *Provider) try(ctx context.Context, n push.Notification, send func(context.Context, *messaging.Message) (string, error)) push.Result {
	content, err := p.profile.Google(n)
	if err != nil {
		return push.Result{Outcome: push.BadRequest, Reason: "not sent", Err: push.Scrub(err, n.Target.Token), Remedy: ourMistake}
	}
	ctx, note := h2.Noting(ctx)
	ctx, seen := tracing(ctx)
	name, err := send(ctx, build(n, content, time.Now()))
	r := p.result(note, seen, name, err)
	r.RetryAfter = max(r.RetryAfter, note.RetryAfter)
	r.Err = push.Scrub(r.Err, n.Target.Token)
	r.Reason = strings.ReplaceAll(r.Reason, n.Target.Token, "")
	return r
}

// result reads what the transport saw; the SDK's own error says less.
func (p *Provider) result(note *h2.Note, seen *trace, name string, err error) push.Result {
	var refused *grantError
	switch {
	case errors.As(seen.grant, &refused) && refused.ours():
		return push.Result{Outcome: push.BadCredentials, Reason: strings.TrimSpace("no access token: " + refused.code), Err: seen.grant,
			Remedy: anyAccount + "; and at this machine's clock"}
	case seen.grant != nil:
		return push.Result{Outcome: push.Unavailable, Reason: "no access token", Err: seen.grant}
	case note.Status == 0 && note.Err != nil:
		return unreached(note.Err)
	case note.Status == 0:
		return push.Result{Outcome: push.BadRequest, Reason: "not sent", Err: err, Remedy: ourMistake}
	case note.Status == http.StatusOK && err == nil && name != "":
		return push.Result{Outcome: push.Delivered, Reason: "200"}
	case note.Status == http.StatusOK:
		return push.Result{Outcome: push.Unavailable, Reason: "200 with a body that is not Google's", Err: err, Remedy: ourEndpoint}
	}
	f := parseFault(note.Body)
	r := classify(note.Status, f)
	code := f.code
	if code == "" {
		code = cmp.Or(f.reason, f.status)
	}
	r.Reason = strings.TrimSpace(fmt.Sprintf("%d %s", note.Status, word(code)))
	if r.Err = err; note.Status == http.StatusServiceUnavailable {
		r.Err = errors.New("answered 503") // the SDK was shown another status, see transport
	}
	if note.Status == http.StatusUnauthorized && r.Outcome == push.BadCredentials {
		p.transport.tokens.drop(seen.bearer) // the probe tries with a new one
	}
	return r
}

func unreached(err error) push.Result {
	r := push.Result{Outcome: push.Unavailable, Reason: "no answer", Err: err}
	var untrusted x509.UnknownAuthorityError
	var proxy *h2.ProxyError
	switch {
	case errors.As(err, &proxy):
		r.Reason, r.Remedy = "no way through the proxy", proxy.Remedy()
	case errors.As(err, &untrusted):
		r.Reason, r.Remedy = "not trusted", "look at endpoint and ca_file: the server's certificate is of an unknown authority"
	case errors.Is(err, context.DeadlineExceeded):
		r.Reason = "no answer in time"
	}
	return r
}

// build makes the message. Everything but a silent wake has high priority, or it
// would wait for the end of Doze.
func build(n push.Notification, content profile.GooglePush, now time.Time) *messaging.Message {
	android := &messaging.AndroidConfig{Priority: "high", CollapseKey: content.Collapse}
	if !n.Class.Importance().Urgent {
		android.Priority = "normal"
	}
	expires := n.Expires
	if expires.IsZero() {
		expires = push.Expiry(n.Class, now)
	}
	ttl := min(max(expires.Sub(now).Round(time.Second), time.Second), maxTTL)
	android.TTL = &ttl
	m := &messaging.Message{Token: n.Target.Token, Data: content.Data, Android: android}
	if content.Alert != nil {
		m.Notification = &messaging.Notification{Title: content.Alert.Title, Body: content.Alert.Body}
		android.Notification = &messaging.AndroidNotification{Tag: content.Tag}
	}
	return m
}

// word keeps of a code what can stand in records: Google's are single words.
func word(code string) string {
	for i, c := range code {
		if i >= 64 || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return code[:i]
		}
	}
	return code
}

// Check has Google validate a message to a made-up token, without sending it:
// that it complains about the token and nothing else proves the credentials.
func (p *Provider) Check(ctx context.Context) error {
	r := p.try(ctx, push.Notification{
		Class:  session.Message,
		Target: session.Registration{Token: madeUp, Device: "check"},
	}, p.client.SendDryRun)
	if r.Outcome == push.TokenGone || r.Outcome == push.Delivered {
		return nil
	}
	err := fmt.Errorf("FCM answers %q for project %q to a made-up token", r.Reason, p.project)
	if r.Err != nil {
		err = fmt.Errorf("%w: %w", err, r.Err)
	}
	return push.Remedied(err, r.Remedy)
}

const madeUp = "check:not-a-token"
