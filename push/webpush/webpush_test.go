package webpush

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rouse/push"
	"rouse/push/h2"
	"rouse/push/pushtest"
	"rouse/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t *testing.T) *Key {
	t.Helper()
	text, public, err := pushtest.VAPIDKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(text)
	if err != nil || key.Public() != public {
		t.Fatalf("%v, %s and %s", err, key.Public(), public)
	}
	return key
}

func standIn(t *testing.T, opts pushtest.WebPushOptions) *pushtest.WebPush {
	t.Helper()
	w, err := pushtest.NewWebPush(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// open makes a provider that may reach a stand-in on this machine.
func open(t *testing.T, w *pushtest.WebPush, change ...func(*Options)) *Provider {
	t.Helper()
	roots, err := h2.RootsFromPEM(w.CAPEM())
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Key: newKey(t), Contact: "mailto:push@example.org", AllowPrivate: true, Roots: roots}
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

func wake(c session.Class, token string) push.Notification {
	return push.Notification{
		ID:       "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0",
		Class:    c,
		Count:    3,
		Target:   session.Registration{Node: "node", App: "web", Token: token, Device: "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"},
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

func TestMessage(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	token := w.Subscribe("juliet", p.PublicKey())
	for _, c := range []struct {
		class    session.Class
		urgency  string
		ttl      time.Duration
		collapse bool
	}{
		{session.Silent, "low", session.SilentLife, true},
		{session.Subscription, "high", session.Life, true},
		{session.Invitation, "high", session.Life, true},
		{session.Group, "high", session.Life, true},
		{session.Mention, "high", session.Life, true},
		{session.Message, "high", session.Life, true},
		{session.Call, "high", session.CallLife, false},
	} {
		w.Forget()
		n := wake(c.class, token)
		if r := send(t, p, n); r.Outcome != push.Delivered || r.Reason != "201" {
			t.Fatalf("%v: %+v; %+v", c.class, r, w.Received())
		}
		got := w.Received()[0]
		if got.Priority != c.urgency || got.TTL != c.ttl || got.Token != token || got.Collapse != n.Collapse || (got.Collapse != "") != c.collapse {
			t.Errorf("%v: %+v", c.class, got)
		}
		if want := `{"account":"` + n.Target.Device + `","count":3}`; string(got.Payload) != want {
			t.Errorf("%v: %s", c.class, got.Payload)
		}
	}
}

func TestHeader(t *testing.T) {
	n := wake(session.Message, "")
	now := time.Now()
	for want, expires := range map[string]time.Time{
		"1":       now.Add(-time.Hour),
		"17":      now.Add(17 * time.Second),
		"2419200": {},
	} {
		n.Expires = expires
		if got := header(n, now).Get("TTL"); got != want {
			t.Errorf("%v: TTL %s, want %s", expires, got, want)
		}
	}
	n.Expires = now.Add(90 * 24 * time.Hour)
	if got := header(n, now).Get("TTL"); got != "2419200" {
		t.Errorf("TTL %s", got)
	}
	for _, kept := range []string{"", "abcDEF-_0", strings.Repeat("a", 32), n.Collapse} {
		if got := topic(kept); got != kept {
			t.Errorf("%q became %q", kept, got)
		}
	}
	for _, collapse := range []string{strings.Repeat("a", 33), "node/of the device", "\r\nX: y"} {
		if got := topic(collapse); !topicForm.MatchString(got) || got != topic(collapse) {
			t.Errorf("%q became %q", collapse, got)
		}
	}
	if topic(strings.Repeat("a", 33)) == topic(strings.Repeat("a", 34)) {
		t.Error("two wakes replace each other")
	}
}

func TestPayloadLimit(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	n := wake(session.Message, w.Subscribe("juliet", ""))
	n.Target.Device = ""
	empty, err := payload(n)
	if err != nil {
		t.Fatal(err)
	}
	n.Target.Device = strings.Repeat("x", maxPlain-len(empty))
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Errorf("at the limit: %+v", r)
	}
	n.Target.Device += "x"
	if r := send(t, p, n); r.Outcome != push.BadRequest || len(w.Received()) != 1 {
		t.Errorf("beyond the limit: %+v", r)
	}
}

// Over the wire, each with exactly one request, in both versions of HTTP.
func TestAnswers(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		w := standIn(t, pushtest.WebPushOptions{HTTP1: http1})
		p := open(t, w)
		token := w.Subscribe("juliet", p.PublicKey())
		path := token[strings.Index(token, "/push/"):strings.Index(token, " ")]
		for _, c := range []struct {
			name  string
			reply pushtest.Reply
			want  push.Result
		}{
			{"taken", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "201"}},
			{"ended", pushtest.Reply{Status: 410, Body: []byte(`{"errno":103}`)}, push.Result{Outcome: push.TokenGone, Reason: "410 errno 103"}},
			{"never there", pushtest.Reply{Status: 404}, push.Result{Outcome: push.TokenGone, Reason: "404"}},
			{"too large", pushtest.Reply{Status: 413, Body: []byte(`{"reason":"PayloadTooLarge"}`)}, push.Result{Outcome: push.BadRequest, Reason: "413 PayloadTooLarge"}},
			{"slow down", pushtest.Reply{Status: 429}, push.Result{Outcome: push.RateLimited, Reason: "429"}},
			{"slow down, told", pushtest.Reply{Status: 429, RetryAfter: "90"}, push.Result{Outcome: push.RateLimited, Reason: "429", RetryAfter: 90 * time.Second}},
			{"broken", pushtest.Reply{Status: 500}, push.Result{Outcome: push.Unavailable, Reason: "500"}},
			{"down, told", pushtest.Reply{Status: 503, RetryAfter: "9"}, push.Result{Outcome: push.Unavailable, Reason: "503", RetryAfter: 9 * time.Second}},
			{"a redirect", pushtest.Reply{Status: 307, Location: w.Origin() + path}, push.Result{Outcome: push.Unavailable, Reason: "307"}},
			{"too much", pushtest.Reply{Status: 500, Body: bytes.Repeat([]byte(" "), 1<<20)}, push.Result{Outcome: push.Unavailable, Reason: "500"}},
			{"the endpoint in the answer", pushtest.Reply{Status: 400, Body: []byte(`{"reason":"` + path + `"}`)}, push.Result{Outcome: push.BadRequest, Reason: "400"}},
			{"a reset", pushtest.Reply{Reset: true}, push.Result{Outcome: push.Unavailable, Reason: "no answer"}},
			{"and after it", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "201"}},
			{"garbage", pushtest.Reply{Garbage: []byte("SSH-2.0 " + path + "\r\n")}, push.Result{Outcome: push.Unavailable, Reason: "no answer"}},
			{"and after that", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "201"}},
			{"slowly", pushtest.Reply{Delay: 50 * time.Millisecond}, push.Result{Outcome: push.Delivered, Reason: "201"}},
			{"with GOAWAY", pushtest.Reply{GoAway: true}, push.Result{Outcome: push.Delivered, Reason: "201"}},
			{"and at last", pushtest.Reply{}, push.Result{Outcome: push.Delivered, Reason: "201"}},
		} {
			t.Run(fmt.Sprintf("%s, HTTP/1 %v", c.name, http1), func(t *testing.T) {
				w.Forget()
				w.Queue(c.reply)
				got := send(t, p, wake(session.Message, token))
				if got.Outcome != c.want.Outcome || got.RetryAfter != c.want.RetryAfter || got.Doubtful || got.Reason != c.want.Reason {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if text := fmt.Sprintf("%+v", got); strings.Contains(text, path) || strings.Contains(text, token) {
					t.Errorf("the result holds the endpoint: %s", text)
				}
				if n := len(w.Received()); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

func TestEndOfASubscription(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	token := w.Subscribe("juliet", "")
	w.Unsubscribe(token)
	if r := send(t, p, wake(session.Message, token)); r.Outcome != push.TokenGone || r.Doubtful {
		t.Errorf("%+v", r)
	}
	r := send(t, p, wake(session.Message, pushtest.FCMToken("juliet")))
	if r.Outcome != push.TokenGone || !r.Doubtful || r.Remedy == "" || len(w.Received()) != 1 {
		t.Errorf("a token of another provider: %+v", r)
	}
}

// As long as nothing was delivered, a refusal stops the app. Then it is the
// matter of one subscription: else any device could stop the app for all.
func TestRefusedKey(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	ours, others := w.Subscribe("juliet", p.PublicKey()), w.Subscribe("nurse", newKey(t).Public())
	r := send(t, p, wake(session.Message, others))
	if r.Outcome != push.BadCredentials || r.Reason != "403 made for another key" || !strings.Contains(r.Remedy, "vapid_key_file") {
		t.Errorf("before: %+v", r)
	}
	if r := send(t, p, wake(session.Message, ours)); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	r = send(t, p, wake(session.Message, others))
	if r.Outcome != push.Unavailable || r.RetryAfter != refusedDelay || !strings.Contains(r.Remedy, "subscribe again") {
		t.Errorf("after: %+v", r)
	}
}

// The stand-in has a clock of its own, so both can be a day apart.
func TestVAPIDTokenIsRenewed(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	w := standIn(t, pushtest.WebPushOptions{Now: clock})
	p := open(t, w, func(o *Options) { o.Now = clock })
	n := wake(session.Message, w.Subscribe("juliet", p.PublicKey()))
	for range 12 {
		for range 2 {
			if r := send(t, p, n); r.Outcome != push.Delivered {
				t.Fatalf("%v: %+v %+v", now, r, w.Received())
			}
		}
		now = now.Add(2 * time.Hour)
		n.Expires = push.Expiry(n.Class, now)
	}
	used := make(map[string]int)
	for _, r := range w.Received() {
		used[r.Bearer]++
	}
	if len(used) != 4 {
		t.Errorf("%d tokens in a day", len(used))
	}
	now = now.Add(-23 * time.Hour)
	w.Forget()
	far := open(t, w, func(o *Options) { o.Now = func() time.Time { return now.Add(13 * time.Hour) } })
	if r := send(t, far, wake(session.Message, w.Subscribe("nurse", ""))); r.Outcome != push.BadCredentials || !strings.Contains(r.Remedy, "clock") {
		t.Errorf("a clock that is wrong: %+v", r)
	}
}

func TestDeadline(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	w.Queue(pushtest.Reply{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := p.Send(ctx, wake(session.Message, w.Subscribe("juliet", ""))); r.Outcome != push.Unavailable || r.Reason != "no answer in time" {
		t.Errorf("%+v", r)
	}
	if n := len(w.Received()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestNobodyThere(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	n := wake(session.Message, w.Subscribe("juliet", ""))
	w.Close()
	if r := send(t, p, n); r.Outcome != push.Unavailable || r.Err == nil {
		t.Errorf("%+v", r)
	}
	stranger := open(t, standIn(t, pushtest.WebPushOptions{}))
	w = standIn(t, pushtest.WebPushOptions{})
	if r := send(t, stranger, wake(session.Message, w.Subscribe("juliet", ""))); r.Outcome != push.Unavailable || r.Reason != "not trusted" || r.Remedy == "" {
		t.Errorf("%+v", r)
	}
	n.Target.Token = "https://nobody.invalid/x " + rfcP256DH + " " + rfcAuth
	if r := send(t, open(t, w, func(o *Options) { o.Resolver = names(t, nil) }), n); r.Outcome != push.Unavailable || r.Reason != "no such host" {
		t.Errorf("%+v", r)
	}
}

func TestManyAtOnce(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		w := standIn(t, pushtest.WebPushOptions{HTTP1: http1})
		p := open(t, w)
		w.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: 20 * time.Millisecond} })
		results := make(chan push.Result)
		for i := range 200 {
			token := w.Subscribe(fmt.Sprint(i), p.PublicKey())
			go func() { results <- send(t, p, wake(session.Message, token)) }()
		}
		for range 200 {
			if r := <-results; r.Outcome != push.Delivered {
				t.Errorf("%+v", r)
			}
		}
		peers, bearers := make(map[string]bool), make(map[string]bool)
		for _, r := range w.Received() {
			peers[r.Peer], bearers[r.Bearer] = true, true
		}
		if len(peers) > connsPerHost || len(bearers) != 1 {
			t.Errorf("HTTP/1 %v: %d connections, %d tokens", http1, len(peers), len(bearers))
		}
	}
}

// Close ends what is under way.
func TestClose(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	token := w.Subscribe("juliet", "")
	w.Queue(pushtest.Reply{Hang: true})
	result := make(chan push.Result, 1)
	go func() { result <- send(t, p, wake(session.Message, token)) }()
	if _, err := w.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p.Close()
	if r := <-result; r.Outcome != push.Unavailable || time.Since(start) > 2*time.Second {
		t.Errorf("%+v after %v", r, time.Since(start))
	}
	if r := send(t, p, wake(session.Message, token)); r.Outcome != push.Unavailable || !strings.Contains(fmt.Sprint(r.Err), "closed") {
		t.Errorf("%+v", r)
	}
}

func TestCheck(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	if err := open(t, w).Check(t.Context()); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]Options{
		"no key":     {Contact: "mailto:a@example.org"},
		"no contact": {Key: newKey(t)},
		"an address": {Key: newKey(t), Contact: "a@example.org"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if len(w.Received()) != 0 {
		t.Error("a check went to somebody")
	}
}

func TestPayloadIsJSON(t *testing.T) {
	n := wake(session.Message, "")
	n.Target.Device = "\"\x00ä\xff"
	text, err := payload(n)
	if err != nil || !json.Valid(text) {
		t.Errorf("%s, %v", text, err)
	}
}
