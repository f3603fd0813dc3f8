package fcm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebase.google.com/go/v4/messaging"
	"go.uber.org/goleak"

	"rouse/push"
	"rouse/push/h2"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func standIn(t *testing.T) *pushtest.FCM {
	t.Helper()
	f, err := pushtest.NewFCM(pushtest.FCMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func open(t *testing.T, f *pushtest.FCM, change ...func(*Options)) *Provider {
	t.Helper()
	roots, err := h2.RootsFromPEM(f.CAPEM())
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Credentials: f.Credentials(), Endpoint: f.URL(), Roots: roots}
	for _, c := range change {
		c(&opts)
	}
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
		Target:   session.Registration{Node: "node", App: "android", Token: pushtest.FCMToken("juliet"), Device: "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"},
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

const fcmError = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

// body is an error as Google writes it.
func body(status int, name, message, code, field string) []byte {
	var details []any
	if code != "" {
		details = append(details, map[string]string{"@type": fcmError, "errorCode": code})
	}
	if field != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []any{map[string]string{"field": field, "description": message}}})
	}
	b, err := json.Marshal(map[string]any{"error": map[string]any{"code": status, "status": name, "message": message, "details": details}})
	if err != nil {
		panic(err)
	}
	return b
}

// Google, "FCM HTTP v1 API", enum ErrorCode, and google.rpc.Code where there is
// no FcmError.
func TestClassify(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   []byte
		want   push.Outcome
	}{
		{"UNREGISTERED", 404, body(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED", ""), push.TokenGone},
		{"SENDER_ID_MISMATCH", 403, body(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH", ""), push.TokenGone},
		{"INVALID_ARGUMENT, the token", 400, body(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "INVALID_ARGUMENT", ""), push.TokenGone},
		{"INVALID_ARGUMENT, the field token", 400, body(400, "INVALID_ARGUMENT", "Invalid registration", "INVALID_ARGUMENT", "message.token"), push.TokenGone},
		{"INVALID_ARGUMENT, another field", 400, body(400, "INVALID_ARGUMENT", "Invalid registration token ttl", "INVALID_ARGUMENT", "message.android.ttl"), push.BadRequest},
		{"INVALID_ARGUMENT, no word why", 400, body(400, "INVALID_ARGUMENT", "Request contains an invalid argument.", "INVALID_ARGUMENT", ""), push.BadRequest},
		{"INVALID_ARGUMENT without FcmError", 400, body(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", "", "message"), push.BadRequest},
		{"QUOTA_EXCEEDED", 429, body(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "QUOTA_EXCEEDED", ""), push.RateLimited},
		{"RESOURCE_EXHAUSTED without FcmError", 429, body(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "", ""), push.RateLimited},
		{"UNAVAILABLE", 503, body(503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE", ""), push.Unavailable},
		{"INTERNAL", 500, body(500, "INTERNAL", "Internal error encountered.", "INTERNAL", ""), push.Unavailable},
		{"THIRD_PARTY_AUTH_ERROR", 401, body(401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", "THIRD_PARTY_AUTH_ERROR", ""), push.BadConfig},
		{"APNS_AUTH_ERROR", 401, body(401, "UNAUTHENTICATED", "Auth error", "APNS_AUTH_ERROR", ""), push.BadConfig},
		{"UNSPECIFIED_ERROR", 400, body(400, "UNKNOWN", "No more information", "UNSPECIFIED_ERROR", ""), push.Unavailable},
		{"UNAUTHENTICATED", 401, body(401, "UNAUTHENTICATED", "Invalid credentials", "", ""), push.BadCredentials},
		{"PERMISSION_DENIED", 403, body(403, "PERMISSION_DENIED", "Permission denied", "", ""), push.BadCredentials},
		{"SERVICE_DISABLED", 403, []byte(`{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}}`), push.BadConfig},
		{"NOT_FOUND without FcmError", 404, body(404, "NOT_FOUND", "Requested entity was not found.", "", ""), push.BadConfig},
		{"a new error", 409, body(409, "ABORTED", "?", "NEW", ""), push.BadRequest},
		{"HTML, 400", 400, []byte("<html>registration token"), push.Unavailable},
		{"HTML, 404", 404, []byte("<html>"), push.BadConfig},
		{"HTML, 502", 502, []byte("<html>"), push.Unavailable},
		{"HTML, 302", 302, nil, push.Unavailable},
		{"JSON of another kind", 400, []byte(`["registration token"]`), push.Unavailable},
	} {
		r := classify(c.status, parseFault(c.body))
		if r.Outcome != c.want {
			t.Errorf("%s: %v, want %v", c.name, r.Outcome, c.want)
		}
		if (r.Outcome.Stops() || r.Outcome == push.BadRequest || r.Doubtful) && r.Remedy == "" {
			t.Errorf("%s: no remedy", c.name)
		}
		if r.Doubtful != (c.name == "SENDER_ID_MISMATCH") {
			t.Errorf("%s: doubtful %v", c.name, r.Doubtful)
		}
	}
}

// Over the wire, each with exactly one request: the SDK would make five of some.
func TestAnswers(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	token := wake(session.Message).Target.Token
	for _, c := range []struct {
		name  string
		reply pushtest.Reply
		want  push.Result
	}{
		{"taken", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"gone", pushtest.Reply{Status: 404, Reason: "UNREGISTERED"}, push.Result{Outcome: push.TokenGone, Reason: "404 UNREGISTERED"}},
		{"another project", pushtest.Reply{Status: 403, Reason: "SENDER_ID_MISMATCH"}, push.Result{Outcome: push.TokenGone, Doubtful: true, Reason: "403 SENDER_ID_MISMATCH"}},
		{"quota", pushtest.Reply{Status: 429, Reason: "QUOTA_EXCEEDED", RetryAfter: "5"}, push.Result{Outcome: push.RateLimited, Reason: "429 QUOTA_EXCEEDED", RetryAfter: time.Minute}},
		{"quota for long", pushtest.Reply{Status: 429, Reason: "QUOTA_EXCEEDED", RetryAfter: "90"}, push.Result{Outcome: push.RateLimited, Reason: "429 QUOTA_EXCEEDED", RetryAfter: 90 * time.Second}},
		{"down", pushtest.Reply{Status: 503, Reason: "UNAVAILABLE"}, push.Result{Outcome: push.Unavailable, Reason: "503 UNAVAILABLE"}},
		{"down, told", pushtest.Reply{Status: 503, Reason: "UNAVAILABLE", RetryAfter: "9"}, push.Result{Outcome: push.Unavailable, Reason: "503 UNAVAILABLE", RetryAfter: 9 * time.Second}},
		{"internal", pushtest.Reply{Status: 500, Reason: "INTERNAL"}, push.Result{Outcome: push.Unavailable, Reason: "500 INTERNAL"}},
		{"apple's fault", pushtest.Reply{Status: 401, Reason: "THIRD_PARTY_AUTH_ERROR"}, push.Result{Outcome: push.BadConfig, Reason: "401 THIRD_PARTY_AUTH_ERROR"}},
		{"garbage with 503", pushtest.Reply{Status: 503, Body: []byte("<html>")}, push.Result{Outcome: push.Unavailable, Reason: "503"}},
		{"garbage with 200", pushtest.Reply{Status: 200, Body: []byte("<html>")}, push.Result{Outcome: push.Unavailable, Reason: "200 with a body that is not Google's"}},
		{"no name in 200", pushtest.Reply{Status: 200, Body: []byte("{}")}, push.Result{Outcome: push.Unavailable, Reason: "200 with a body that is not Google's"}},
		{"too much", pushtest.Reply{Status: 500, Body: bytes.Repeat([]byte(" "), 1<<20)}, push.Result{Outcome: push.Unavailable, Reason: "500"}},
		{"the token in the error", pushtest.Reply{Status: 400, Body: body(400, "INVALID_ARGUMENT", "no such thing as "+token, token, "")}, push.Result{Outcome: push.BadRequest}},
		{"a reset", pushtest.Reply{Reset: true}, push.Result{Outcome: push.Unavailable, Reason: "no answer"}},
		{"and after it", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"slowly", pushtest.Reply{Delay: 50 * time.Millisecond}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"with GOAWAY", pushtest.Reply{GoAway: true}, push.Result{Outcome: push.Delivered, Reason: "200"}},
		{"and after that", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.Forget()
			f.Queue(c.reply)
			got := send(t, p, wake(session.Message))
			if got.Outcome != c.want.Outcome || got.RetryAfter != c.want.RetryAfter || got.Doubtful != c.want.Doubtful ||
				c.want.Reason != "" && got.Reason != c.want.Reason {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if strings.Contains(fmt.Sprintf("%+v", got), token) {
				t.Errorf("the result holds the token: %+v", got)
			}
			if n := len(f.Received()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
	if f.Minted() != 1 {
		t.Errorf("%d access tokens", f.Minted())
	}
}

func TestDeadline(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	f.Queue(pushtest.Reply{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := p.Send(ctx, wake(session.Message)); r.Outcome != push.Unavailable || r.Reason != "no answer in time" {
		t.Errorf("%+v", r)
	}
	if n := len(f.Received()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestNobodyThere(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	f.Close()
	start := time.Now()
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Unavailable || r.Err == nil {
		t.Errorf("%+v", r)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v: somebody tried again", took)
	}
}

func TestMessage(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	for _, c := range []struct {
		class    session.Class
		priority string
		ttl      time.Duration
		collapse string
	}{
		{session.Silent, "normal", session.SilentLife, "5baa61"},
		{session.Subscription, "high", session.Life, "5baa61"},
		{session.Invitation, "high", session.Life, "5baa61"},
		{session.Group, "high", session.Life, "5baa61"},
		{session.Mention, "high", session.Life, "5baa61"},
		{session.Message, "high", session.Life, "5baa61"},
		{session.Call, "high", session.CallLife, ""},
	} {
		f.Forget()
		n := wake(c.class)
		if r := send(t, p, n); r.Outcome != push.Delivered {
			t.Fatalf("%v: %+v", c.class, r)
		}
		got := f.Received()[0]
		if got.Priority != c.priority || got.TTL != c.ttl || got.Collapse != c.collapse || got.Token != n.Target.Token {
			t.Errorf("%v: %+v", c.class, got)
		}
		var m struct {
			Message struct {
				Data         map[string]string `json:"data"`
				Notification any               `json:"notification"`
			} `json:"message"`
		}
		if err := json.Unmarshal(got.Payload, &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Message.Data) != 1 || m.Message.Data["account"] != n.Target.Device || m.Message.Notification != nil {
			t.Errorf("%v: %s", c.class, got.Payload)
		}
	}
	build := func(n push.Notification) *messaging.Message { return build(n, profile.GooglePush{}, time.Now()) }
	n := wake(session.Message)
	n.Expires = time.Now().Add(-time.Hour)
	if m := build(n); *m.Android.TTL != time.Second {
		t.Errorf("ttl %v", *m.Android.TTL)
	}
	n.Expires = time.Time{}
	if m := build(n); *m.Android.TTL != session.Life {
		t.Errorf("ttl %v", *m.Android.TTL)
	}
}

func TestPayloadLimit(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	n := wake(session.Message)
	n.Target.Device = strings.Repeat("x", profile.GoogleLimit-len("account"))
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Errorf("at the limit: %+v", r)
	}
	n.Target.Device += "x"
	if r := send(t, p, n); r.Outcome != push.BadRequest || len(f.Received()) != 1 {
		t.Errorf("beyond the limit: %+v", r)
	}
}

func TestEmptyTokenIsNotSent(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	n := wake(session.Message)
	n.Target.Token = ""
	if r := send(t, p, n); r.Outcome != push.BadRequest || len(f.Received()) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAccessTokenTroubles(t *testing.T) {
	f := standIn(t)
	for _, c := range []struct {
		name  string
		reply pushtest.Reply
		want  push.Outcome
	}{
		{"invalid_grant", pushtest.Reply{Status: 400, Reason: "invalid_grant"}, push.BadCredentials},
		{"invalid_client", pushtest.Reply{Status: 401, Reason: "invalid_client"}, push.BadCredentials},
		{"slow down", pushtest.Reply{Status: 429, Reason: "rate_limit"}, push.Unavailable},
		{"down", pushtest.Reply{Status: 503, Reason: "unavailable"}, push.Unavailable},
		{"garbage", pushtest.Reply{Status: 200, Body: []byte("<html>")}, push.Unavailable},
		{"no token", pushtest.Reply{Status: 200, Body: []byte("{}")}, push.Unavailable},
		{"a reset", pushtest.Reply{Reset: true}, push.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, f)
			f.QueueOAuth(c.reply)
			if r := send(t, p, wake(session.Message)); r.Outcome != c.want || r.Err == nil {
				t.Errorf("%+v", r)
			}
			if n := len(f.Received()); n != 0 {
				t.Errorf("%d requests without an access token", n)
			}
		})
	}
}

func TestAccessTokenKeepsTheDeadlineOfEachSend(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	f.QueueOAuth(pushtest.Reply{Delay: 500 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if r := p.Send(ctx, wake(session.Message)); r.Outcome != push.Unavailable || r.Reason != "no access token" {
		t.Errorf("%+v", r)
	}
	if took := time.Since(start); took > 400*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
	if f.Minted() != 1 {
		t.Errorf("%d access tokens", f.Minted())
	}
}

func TestRevokedAccessTokenIsReplacedByTheProbe(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	f.Revoke()
	if r := send(t, p, wake(session.Message)); r.Outcome != push.BadCredentials || r.Reason != "401 UNAUTHENTICATED" {
		t.Errorf("%+v", r)
	}
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
}

func TestManyAtOnceUseOneConnectionAndOneAccessToken(t *testing.T) {
	f := standIn(t)
	p := open(t, f)
	f.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: 20 * time.Millisecond} })
	results := make(chan push.Result)
	for range 200 {
		go func() { results <- send(t, p, wake(session.Message)) }()
	}
	for range 200 {
		if r := <-results; r.Outcome != push.Delivered {
			t.Errorf("%+v", r)
		}
	}
	peers := make(map[string]bool)
	for _, r := range f.Received() {
		peers[r.Peer] = true
	}
	if len(peers) != 1 || f.Minted() != 1 {
		t.Errorf("%d connections, %d access tokens", len(peers), f.Minted())
	}
}

func TestCheck(t *testing.T) {
	f, other := standIn(t), standIn(t)
	edit := func(key, value string) func(*Options) {
		return func(o *Options) {
			var file map[string]string
			if err := json.Unmarshal(o.Credentials, &file); err != nil {
				t.Fatal(err)
			}
			if key == "private_key" {
				var second map[string]string
				if err := json.Unmarshal(other.Credentials(), &second); err != nil {
					t.Fatal(err)
				}
				value = second[key]
			}
			file[key] = value
			o.Credentials, _ = json.Marshal(file)
		}
	}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string // in the error; empty: none
	}{
		"fine":            {func(*Options) {}, ""},
		"another key":     {edit("private_key", ""), "service account"},
		"another account": {edit("client_email", "x@y.iam.gserviceaccount.com"), "service account"},
		"another project": {edit("project_id", "another"), "service account"},
		"no such path":    {func(o *Options) { o.Endpoint += "/nowhere" }, "project_id"},
		"untrusted":       {func(o *Options) { o.Roots, _ = h2.RootsFromPEM(other.CAPEM()) }, "no access token"},
	} {
		err := open(t, f, c.change).Check(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.Delivered()) != 0 {
		t.Error("a check woke a device")
	}
}

func TestFilesThatAreNoServiceAccount(t *testing.T) {
	var good map[string]string
	if err := json.Unmarshal(standIn(t).Credentials(), &good); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"type": "authorized_user", "project_id": "", "private_key": "key", "": ""} {
		bad := make(map[string]string)
		for k, v := range good {
			bad[k] = v
		}
		bad[key] = value
		text, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if key == "" {
			text = []byte("not JSON")
		}
		if _, err := New(Options{Credentials: text}); err == nil {
			t.Errorf("%q %q: taken", key, value)
		} else if strings.Contains(err.Error(), "PRIVATE KEY") {
			t.Errorf("the error holds the key: %v", err)
		}
	}
}

func FuzzFault(f *testing.F) {
	f.Add(404, body(404, "NOT_FOUND", "gone", "UNREGISTERED", ""))
	f.Add(400, body(400, "INVALID_ARGUMENT", "registration token", "INVALID_ARGUMENT", "message.token"))
	f.Add(503, []byte("<html>"))
	f.Add(400, []byte(`{"error":{"details":[{"@type":1}]}}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		fault := parseFault(text)
		r := classify(status, fault)
		if r.Outcome == push.Delivered {
			t.Error("an error became a success")
		}
		if r.Outcome == push.TokenGone && (!fault.known || fault.code == "" && len(fault.fields) == 0 && !fault.aboutToken()) {
			t.Errorf("%d %q ends a token", status, text)
		}
	})
}
