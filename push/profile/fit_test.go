package profile

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"rouse/push"
	"rouse/session"
)

// sized is a way to a provider and what it takes.
type sized struct {
	name    string
	profile string
	limit   int
	class   session.Class
	size    func(p Profile, n push.Notification) (int, error)
}

var ways = []sized{
	{"apns", "siskin", AppleLimit, session.Message, func(p Profile, n push.Notification) (int, error) {
		a, err := p.Apple(n, false)
		return len(a.Payload), err
	}},
	{"apns, silent", "mongoose", AppleLimit, session.Silent, func(p Profile, n push.Notification) (int, error) {
		a, err := p.Apple(n, false)
		return len(a.Payload), err
	}},
	{"fcm", "mongoose", GoogleLimit, session.Message, func(p Profile, n push.Notification) (int, error) {
		m, err := p.Google(n)
		return m.size(), err
	}},
	{"webpush", "mongoose", WebLimit, session.Silent, func(p Profile, n push.Notification) (int, error) {
		w, err := p.Web(n)
		return len(w), err
	}},
}

func (w sized) get(t *testing.T) Profile {
	t.Helper()
	for _, f := range formats {
		if f.name == w.profile {
			return Profile{f.apple}
		}
	}
	t.Fatal(w.profile)
	return Profile{}
}

func (w sized) must(t *testing.T, n push.Notification) int {
	t.Helper()
	size, err := w.size(w.get(t), n)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// TestAtTheLimit: a text that just fits goes whole; one byte more and it is cut,
// and the push is still as large as may be.
func TestAtTheLimit(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			n := push.Notification{Class: w.class, Count: 1, Content: push.Content{Account: "a@b", Sender: "c@d", Body: "x"}}
			n.Content.Body += strings.Repeat("x", w.limit-w.must(t, n))
			if got := w.must(t, n); got != w.limit {
				t.Fatalf("%d bytes, not %d", got, w.limit)
			}
			n.Content.Body += "x"
			if got := w.must(t, n); got != w.limit {
				t.Errorf("limit + 1: %d bytes", got)
			}
			n.Content.Body = strings.Repeat("é", w.limit)
			if got := w.must(t, n); got > w.limit || got < w.limit-1 {
				t.Errorf("characters of two bytes: %d bytes", got)
			}
		})
	}
}

// TestOrder: what is too large loses its text first and its account never.
func TestOrder(t *testing.T) {
	p, err := Apple("siskin")
	if err != nil {
		t.Fatal(err)
	}
	keys := func(n push.Notification) map[string]any {
		t.Helper()
		a, err := p.Apple(n, false)
		if err != nil || len(a.Payload) > AppleLimit {
			t.Fatalf("%d bytes, %v", len(a.Payload), err)
		}
		var got map[string]any
		if err := json.Unmarshal(a.Payload, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	n := push.Notification{Class: session.Message, Count: 1, Content: push.Content{Account: "a@b", Sender: "c@d", Nickname: "c", Body: "text"}}
	long := strings.Repeat("x", AppleLimit)
	for _, c := range []struct {
		name   string
		change func(*push.Content)
		gone   string
	}{
		{"a long text", func(c *push.Content) { c.Body = long }, ""},
		{"a long nickname", func(c *push.Content) { c.Nickname = long }, "body nickname"},
		{"a long sender", func(c *push.Content) { c.Sender = long }, "body nickname sender"},
		{"a long ciphertext", func(c *push.Content) { c.Encrypted, c.IV = long, "aXY=" }, "body nickname sender encrypted iv"},
	} {
		n := n
		c.change(&n.Content)
		got := keys(n)
		for _, key := range []string{"account", "sender", "nickname", "body", "encrypted", "iv"} {
			_, there := got[key]
			want := !strings.Contains(c.gone, key)
			if (key == "encrypted" || key == "iv") && n.Content.Encrypted == "" {
				want = false
			}
			if there != want {
				t.Errorf("%s: %s there %v", c.name, key, there)
			}
		}
		if _, ok := got["aps"].(map[string]any)["alert"]; !ok {
			t.Errorf("%s: nothing is shown", c.name)
		}
	}
	n.Content.Account = long
	if _, err := p.Apple(n, false); err == nil {
		t.Error("an account that does not fit is sent")
	}
}

// TestCallThatDoesNotFit: VoIP has more room; what is too large even for it is
// shown instead, since the app could not tell iOS who calls.
func TestCallThatDoesNotFit(t *testing.T) {
	p, err := Apple("siskin")
	if err != nil {
		t.Fatal(err)
	}
	n := push.Notification{Class: session.Call, Count: 1, Target: session.Registration{Token: "FIRST"},
		Content: push.Content{Account: "a@b", CallToken: "SECOND", Encrypted: "e", IV: "aXY="}}
	a, err := p.Apple(n, false)
	if err != nil {
		t.Fatal(err)
	}
	n.Content.Encrypted += strings.Repeat("e", VoIPLimit-len(a.Payload))
	if a, err = p.Apple(n, false); err != nil || a.Kind != VoIP || a.Token != "SECOND" || len(a.Payload) != VoIPLimit {
		t.Errorf("at the limit: %s to %s, %d bytes, %v", a.Kind, a.Token, len(a.Payload), err)
	}
	n.Content.Encrypted += "e"
	if a, err = p.Apple(n, false); err != nil || a.Kind != Shown || a.Token != "FIRST" || len(a.Payload) > AppleLimit {
		t.Errorf("limit + 1: %s to %s, %d bytes, %v", a.Kind, a.Token, len(a.Payload), err)
	}
}

// Whatever a sender says, what is sent fits, is whole characters, and is a
// beginning of the text.
func TestFits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := func(name string) string {
			return strings.Repeat(rapid.StringN(0, 40, -1).Draw(r, name), rapid.SampledFrom([]int{1, 1, 30, 400}).Draw(r, name+" times"))
		}
		n := push.Notification{
			Class: rapid.SampledFrom([]session.Class{session.Silent, session.Message, session.Call}).Draw(r, "class"), Count: 1,
			Target: session.Registration{Token: "T", Device: "D"},
			Content: push.Content{Account: "a@b", Channel: text("channel"), CallToken: rapid.SampledFrom([]string{"", "S"}).Draw(r, "second"),
				Encrypted: text("encrypted"), IV: text("iv"), Sender: text("sender"), Nickname: text("nickname"), Body: text("body")},
		}
		for _, f := range formats {
			a, err := Profile{f.apple}.Apple(n, false)
			limit := AppleLimit
			if a.Kind == VoIP {
				limit = VoIPLimit
			}
			if err != nil || len(a.Payload) > limit {
				r.Fatalf("%s: %d bytes, %v", f.name, len(a.Payload), err)
			}
			var got struct {
				Body string `json:"body"`
			}
			if err := json.Unmarshal(a.Payload, &got); err != nil || !utf8.Valid(a.Payload) {
				r.Fatalf("%s: %v", f.name, err)
			}
			if rest := strings.TrimSuffix(got.Body, ellipsis); !strings.HasPrefix(n.Content.Body, rest) {
				r.Fatalf("%s: %q is no beginning of the text", f.name, rest)
			}
			m, err := Profile{f.apple}.Google(n)
			if err != nil || m.size() > GoogleLimit {
				r.Fatalf("%s: %d bytes, %v", f.name, m.size(), err)
			}
			w, err := Profile{f.apple}.Web(n)
			if err != nil || len(w) > WebLimit {
				r.Fatalf("%s: %d bytes, %v", f.name, len(w), err)
			}
		}
	})
}
