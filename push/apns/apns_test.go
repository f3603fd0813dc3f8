package apns

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rouse/push"
	"rouse/push/h2"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "org.example.chat"

func standIn(t *testing.T, opts pushtest.APNsOptions) *pushtest.APNs {
	t.Helper()
	a, err := pushtest.NewAPNs(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func options(t *testing.T, a *pushtest.APNs) Options {
	t.Helper()
	key, err := NewKey(a.Key(), a.KeyID(), a.TeamID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := h2.RootsFromPEM(a.CAPEM())
	if err != nil {
		t.Fatal(err)
	}
	return Options{Topic: topic, Key: key, Endpoint: a.URL(), Roots: roots}
}

func open(t *testing.T, opts Options) *Provider {
	t.Helper()
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func wake(c session.Class) push.Notification {
	return push.Notification{
		ID:       "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
		Class:    c,
		Count:    1,
		Target:   session.Registration{Node: "node", App: "ios", Token: pushtest.APNsToken("juliet"), Device: "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"},
		Expires:  push.Expiry(c, time.Now()),
		Collapse: push.Collapse(c, "node"),
	}
}

func send(t *testing.T, p *Provider, n push.Notification) push.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return p.Send(ctx, n)
}

// Apple, "Handling notification responses from APNs", table "Values for the reason key".
func TestClassify(t *testing.T) {
	for _, c := range []struct {
		status int
		reason string
		want   push.Outcome
	}{
		{200, "", push.Delivered},
		{400, "BadCollapseId", push.BadRequest},
		{400, "BadDeviceToken", push.TokenGone},
		{400, "BadExpirationDate", push.BadRequest},
		{400, "BadMessageId", push.BadRequest},
		{400, "BadPriority", push.BadRequest},
		{400, "BadTopic", push.BadConfig},
		{400, "DeviceTokenNotForTopic", push.TokenGone},
		{400, "DuplicateHeaders", push.BadRequest},
		{400, "IdleTimeout", push.Unavailable},
		{400, "InvalidPushType", push.BadRequest},
		{400, "MissingDeviceToken", push.BadRequest},
		{400, "MissingTopic", push.BadConfig},
		{400, "PayloadEmpty", push.BadRequest},
		{400, "TopicDisallowed", push.BadConfig},
		{403, "BadCertificate", push.BadCredentials},
		{403, "BadCertificateEnvironment", push.BadCredentials},
		{403, "ExpiredProviderToken", push.BadCredentials},
		{403, "Forbidden", push.BadCredentials},
		{403, "InvalidProviderToken", push.BadCredentials},
		{403, "MissingProviderToken", push.BadCredentials},
		{403, "UnrelatedKeyIdInToken", push.BadCredentials},
		{403, "BadEnvironmentKeyIdInToken", push.BadCredentials},
		{404, "BadPath", push.BadRequest},
		{405, "MethodNotAllowed", push.BadRequest},
		{410, "ExpiredToken", push.TokenGone},
		{410, "Unregistered", push.TokenGone},
		{413, "PayloadTooLarge", push.BadRequest},
		{429, "TooManyProviderTokenUpdates", push.Unavailable},
		{429, "TooManyRequests", push.RateLimited},
		{500, "InternalServerError", push.Unavailable},
		{503, "ServiceUnavailable", push.Unavailable},
		{503, "Shutdown", push.Unavailable},

		// What Apple has not documented, or did not say.
		{400, "NewReason", push.BadRequest},
		{400, "", push.Unavailable},
		{403, "", push.BadCredentials},
		{404, "", push.Unavailable},
		{410, "NewReason", push.TokenGone},
		{410, "", push.Unavailable},
		{429, "", push.RateLimited},
		{502, "", push.Unavailable},
		{503, "Unregistered", push.Unavailable},
		{301, "", push.Unavailable},
		{0, "", push.Unavailable},
	} {
		a := classify(c.status, c.reason)
		if a.outcome != c.want {
			t.Errorf("%d %s: %v, want %v", c.status, c.reason, a.outcome, c.want)
		}
		if (a.outcome.Stops() || a.outcome == push.BadRequest || a.doubtful) && a.remedy == "" {
			t.Errorf("%d %s: no remedy", c.status, c.reason)
		}
		if want := c.reason == "BadDeviceToken" || c.reason == "DeviceTokenNotForTopic"; a.doubtful != want {
			t.Errorf("%d %s: doubtful %v", c.status, c.reason, a.doubtful)
		}
	}
}

// The same over the wire: what arrives is what was classified.
func TestAnswers(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	token := wake(session.Message).Target.Token
	for _, c := range []struct {
		name  string
		reply pushtest.Reply
		want  push.Result
	}{
		{"taken", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"gone", pushtest.Reply{Status: 410, Reason: "Unregistered", Timestamp: since}, push.Result{Outcome: push.TokenGone, Reason: "410 Unregistered", Since: since}},
		{"bad token", pushtest.Reply{Status: 400, Reason: "BadDeviceToken"}, push.Result{Outcome: push.TokenGone, Reason: "400 BadDeviceToken", Doubtful: true}},
		{"slow down", pushtest.Reply{Status: 429, Reason: "TooManyRequests", RetryAfter: "17"}, push.Result{Outcome: push.RateLimited, Reason: "429 TooManyRequests", RetryAfter: 17 * time.Second}},
		{"down", pushtest.Reply{Status: 503, Reason: "ServiceUnavailable", RetryAfter: "3"}, push.Result{Outcome: push.Unavailable, Reason: "503 ServiceUnavailable", RetryAfter: 3 * time.Second}},
		{"refused", pushtest.Reply{Status: 403, Reason: "InvalidProviderToken"}, push.Result{Outcome: push.BadCredentials, Reason: "403 InvalidProviderToken"}},
		{"garbage with 503", pushtest.Reply{Status: 503, Body: []byte("<html>")}, push.Result{Outcome: push.Unavailable, Reason: "503"}},
		{"garbage with 410", pushtest.Reply{Status: 410, Body: []byte("<html>")}, push.Result{Outcome: push.Unavailable, Reason: "410"}},
		{"garbage with 200", pushtest.Reply{Status: 200, Body: []byte("<html>")}, push.Result{Outcome: push.Unavailable, Reason: "200 with a body that is not Apple's"}},
		{"too much", pushtest.Reply{Status: 500, Body: bytes.Repeat([]byte(" "), 1<<20)}, push.Result{Outcome: push.Unavailable, Reason: "500"}},
		{"an odd timestamp", pushtest.Reply{Status: 410, Body: []byte(`{"reason":"Unregistered","timestamp":"yesterday"}`)}, push.Result{Outcome: push.Unavailable, Reason: "410"}},
		{"the token as reason", pushtest.Reply{Status: 400, Body: []byte(`{"reason":"` + token + `"}`)}, push.Result{Outcome: push.BadRequest, Reason: "400"}},
		{"a reset", pushtest.Reply{Reset: true}, push.Result{Outcome: push.Unavailable, Reason: "no answer"}},
		{"and after it", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"slowly", pushtest.Reply{Delay: 50 * time.Millisecond}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"with GOAWAY", pushtest.Reply{GoAway: true}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"and after that", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"refused with GOAWAY", pushtest.Reply{Status: 503, Reason: "Shutdown", GoAway: true}, push.Result{Outcome: push.Unavailable, Reason: "503 Shutdown"}},
		{"and after all", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.Forget()
			a.Queue(c.reply)
			got := send(t, p, wake(session.Message))
			if got.Outcome != c.want.Outcome || got.Reason != c.want.Reason || got.RetryAfter != c.want.RetryAfter ||
				got.Doubtful != c.want.Doubtful || !got.Since.Equal(c.want.Since) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if strings.Contains(fmt.Sprintf("%+v", got), token) {
				t.Errorf("the result holds the token: %+v", got)
			}
			if n := len(a.Received()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	a.Queue(pushtest.Reply{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	n := wake(session.Message)
	r := p.Send(ctx, n)
	if r.Outcome != push.Unavailable || r.Reason != "no answer in time" {
		t.Errorf("%+v", r)
	}
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Errorf("after a hanging answer: %+v", r)
	}
}

func TestNobodyThere(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	opts := options(t, a)
	a.Close()
	n := wake(session.Message)
	r := send(t, open(t, opts), n)
	if r.Outcome != push.Unavailable || r.Err == nil || strings.Contains(r.Err.Error(), n.Target.Token) {
		t.Errorf("%+v", r)
	}
}

func TestUntrusted(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	opts := options(t, a)
	opts.Roots = x509.NewCertPool()
	r := send(t, open(t, opts), wake(session.Message))
	if r.Outcome != push.Unavailable || r.Reason != "not trusted" || !strings.Contains(r.Remedy, "ca_file") {
		t.Errorf("%+v", r)
	}
}

func TestHeadersAndPayload(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	plain, voip := options(t, a), options(t, a)
	voip.VoIP = true
	voip.Key = plain.Key
	for _, c := range []struct {
		class          session.Class
		opts           Options
		kind, priority string
		topic          string
		shown          bool
		life           time.Duration
	}{
		{session.Silent, plain, "background", "5", topic, false, session.SilentLife},
		{session.Subscription, plain, "alert", "10", topic, true, session.Life},
		{session.Invitation, plain, "alert", "10", topic, true, session.Life},
		{session.Group, plain, "alert", "10", topic, true, session.Life},
		{session.Mention, plain, "alert", "10", topic, true, session.Life},
		{session.Message, plain, "alert", "10", topic, true, session.Life},
		{session.Call, plain, "alert", "10", topic, true, session.CallLife},
		{session.Call, voip, "voip", "10", topic + ".voip", false, session.CallLife},
		{session.Message, voip, "alert", "10", topic, true, session.Life},
	} {
		t.Run(c.class.String()+" "+c.kind, func(t *testing.T) {
			a.Forget()
			n := wake(c.class)
			if r := send(t, open(t, c.opts), n); r.Outcome != push.Delivered {
				t.Fatalf("%+v", r)
			}
			got := a.Received()[0]
			if got.PushType != c.kind || got.Priority != c.priority || got.Topic != c.topic || got.ID != n.ID || got.Token != n.Target.Token {
				t.Errorf("%+v", got)
			}
			if got.Collapse != n.Collapse || (c.class == session.Call) != (got.Collapse == "") {
				t.Errorf("collapse %q", got.Collapse)
			}
			if d := time.Until(got.Expires) - c.life; d > time.Second || d < -10*time.Second {
				t.Errorf("expires %v", got.Expires)
			}
			if got.Account != n.Target.Device {
				t.Errorf("account %q", got.Account)
			}
			var p struct {
				APS map[string]any `json:"aps"`
			}
			if err := json.Unmarshal(got.Payload, &p); err != nil {
				t.Fatal(err)
			}
			if _, ok := p.APS["alert"]; ok != c.shown {
				t.Errorf("payload %s", got.Payload)
			}
			if c.shown && (p.APS["mutable-content"] != 1.0 || p.APS["sound"] != "default") {
				t.Errorf("payload %s", got.Payload)
			}
		})
	}
}

func TestExpirationIsNeverLeftOut(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	for _, e := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0)} {
		a.Forget()
		n := wake(session.Message)
		n.Expires = e
		if r := send(t, p, n); r.Outcome != push.Delivered {
			t.Fatalf("%+v", r)
		}
		if got := a.Received()[0]; got.Header.Get("apns-expiration") == "" || got.Header.Get("apns-expiration") == "0" {
			t.Errorf("%v became %q", e, got.Header.Get("apns-expiration"))
		}
	}
}

func TestPayloadLimit(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	n := wake(session.Message)
	n.Target.Device = ""
	empty, err := (profile.Profile{}).Apple(n, false)
	if err != nil {
		t.Fatal(err)
	}
	room := profile.AppleLimit - len(empty.Payload)
	n.Target.Device = strings.Repeat("x", room)
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Errorf("at the limit: %+v", r)
	}
	n.Target.Device += "x"
	if r := send(t, p, n); r.Outcome != push.BadRequest {
		t.Errorf("beyond the limit: %+v", r)
	}
	if n := len(a.Received()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestTokensThatAreNotApples(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	for _, token := range []string{"", "../../etc", "abc%2f", "über", strings.Repeat("a", 1000)} {
		n := wake(session.Message)
		n.Target.Token = token
		if r := send(t, p, n); r.Outcome != push.TokenGone || !r.Doubtful {
			t.Errorf("%q: %+v", token, r)
		}
	}
	if n := len(a.Received()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	for name, change := range map[string]func(*Options){
		"no topic": func(o *Options) { o.Topic = "" },
		"nothing":  func(o *Options) { o.Key = nil },
		"both":     func(o *Options) { o.Certificate = tls.Certificate{Certificate: [][]byte{{1}}} },
		"broken":   func(o *Options) { o.Key, o.Certificate = nil, tls.Certificate{Certificate: [][]byte{{1}}} },
	} {
		o := options(t, a)
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestEnvironments(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	o := options(t, a)
	o.Endpoint = ""
	production := open(t, o)
	o.Sandbox = true
	sandbox := open(t, o)
	if production.home.client.Host != "https://api.push.apple.com" || sandbox.home.client.Host != "https://api.sandbox.push.apple.com" {
		t.Errorf("%s and %s", production.home.client.Host, sandbox.home.client.Host)
	}
}

// Through the workers, so that the log is the real one.
func TestLogHoldsNoToken(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	p := open(t, options(t, a))
	a.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Reset: true} })
	n := wake(session.Message)
	var log bytes.Buffer
	r := send(t, p, n)
	slog.New(slog.NewTextHandler(&log, nil)).Info("result", "reason", r.Reason, "err", r.Err, "remedy", r.Remedy)
	if strings.Contains(log.String(), n.Target.Token) || !strings.Contains(log.String(), "no answer") {
		t.Error(log.String())
	}
}

// Apple allows one stream until it accepted a push, and about a thousand after.
func TestManyAtOnceUseOneConnection(t *testing.T) {
	for _, streams := range []int{1, 20, 1000} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			a := standIn(t, pushtest.APNsOptions{Streams: streams})
			p := open(t, options(t, a))
			a.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: 2 * time.Millisecond} })
			results := make(chan push.Result)
			for range 60 {
				go func() { results <- send(t, p, wake(session.Message)) }()
			}
			for range 60 {
				if r := <-results; r.Outcome != push.Delivered {
					t.Errorf("%+v", r)
				}
			}
			peers := make(map[string]bool)
			for _, r := range a.Received() {
				peers[r.Peer] = true
			}
			if len(peers) != 1 || len(a.Received()) != 60 {
				t.Errorf("%d requests on %d connections", len(a.Received()), len(peers))
			}
		})
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(410, "Unregistered")
	f.Add(503, "BadDeviceToken")
	f.Add(400, "")
	f.Fuzz(func(t *testing.T, status int, reason string) {
		a := classify(status, reason)
		if a.outcome == push.TokenGone && status != http.StatusBadRequest && status != http.StatusGone {
			t.Errorf("%d %q ends a token", status, reason)
		}
		if a.outcome == push.Delivered && status != http.StatusOK {
			t.Errorf("%d %q is a success", status, reason)
		}
	})
}
