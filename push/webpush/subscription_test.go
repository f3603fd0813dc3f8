package webpush

import (
	"strings"
	"testing"
)

func TestSubscriptionAsText(t *testing.T) {
	for _, endpoint := range []string{
		rfcEndpoint,
		"https://fcm.googleapis.com/fcm/send/cP2Z2eN3cd4:APA91bFUU3OYDU0mKzrpSSwG4ucSua6BGO0wmNizDb",
		"https://updates.push.services.mozilla.com/wpush/v2/gAAAAABlZ_-x",
		"https://web.push.apple.com/QF8w7V0M5Z3hbQiw4tIsMBJ",
		"https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2bx%2f1%3d",
		"https://ntfy.example.net:8443/upABC?up=1",
		"https://[2001:67c:2e8::1]:444/x",
		"https://192.0.2.1/",
		"https://a",
	} {
		text := endpoint + " " + rfcP256DH + " " + rfcAuth
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
			continue
		}
		if s.String() != text || s.Endpoint.String() != endpoint {
			t.Errorf("%s: came back as %s", endpoint, s)
		}
	}
}

func TestTextsThatAreNoSubscription(t *testing.T) {
	with := func(endpoint string) string { return endpoint + " " + rfcP256DH + " " + rfcAuth }
	keys := func(p256dh, auth string) string { return rfcEndpoint + " " + p256dh + " " + auth }
	for name, text := range map[string]string{
		"nothing":            "",
		"an FCM token":       "abc:APA91b",
		"JSON":               `{"endpoint":"` + rfcEndpoint + `"}`,
		"two spaces":         rfcEndpoint + "  " + rfcP256DH + " " + rfcAuth,
		"a space behind":     rfcToken + " ",
		"a line end":         rfcToken + "\n",
		"a fourth part":      rfcToken + " x",
		"keys exchanged":     keys(rfcAuth, rfcP256DH),
		"padded":             keys(rfcP256DH+"=", rfcAuth+"=="),
		"base64, not url":    keys(strings.ReplaceAll(rfcP256DH, "-", "+"), rfcAuth),
		"a line end in auth": keys(rfcP256DH, rfcAuth[:10]+"\n"+rfcAuth[10:]),
		"other spare bits":   keys(rfcP256DH, rfcAuth[:21]+"h"),
		"not on the curve":   keys(rfcP256DH[:80]+"AAAAAAw", rfcAuth),
		"compressed":         keys("AyVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx", rfcAuth),
		"http":               with("http://push.example.net/x"),
		"HTTPS":              with("HTTPS://push.example.net/x"),
		"no host":            with("https:///x"),
		"opaque":             with("https:push.example.net"),
		"a user":             with("https://user@push.example.net/x"),
		"a fragment":         with("https://push.example.net/x#y"),
		"an empty fragment":  with("https://push.example.net/x#"),
		"not escaped":        with("https://push.example.net/ä"),
		"upper case":         with("https://Push.example.net/x"),
		"a dot behind":       with("https://push.example.net./x"),
		"an empty label":     with("https://push..example.net/x"),
		"a star":             with("https://*.example.net/x"),
		"short for loopback": with("https://127.1/x"),
		"loopback as number": with("https://2130706433/x"),
		"loopback in hex":    with("https://0x7f000001/x"),
		"octal":              with("https://0177.0.0.1/x"),
		"a zone":             with("https://[fe80::1%25eth0]/x"),
		"mapped, long":       with("https://[::ffff:7f00:1]/x"),
		"port 0":             with("https://push.example.net:0/x"),
		"port 65536":         with("https://push.example.net:65536/x"),
		"port 0443":          with("https://push.example.net:0443/x"),
		"no port":            with("https://push.example.net:/x"),
		"long endpoint":      with("https://push.example.net/" + strings.Repeat("x", MaxEndpoint)),
		"long":               rfcToken + strings.Repeat("x", MaxToken),
	} {
		if s, err := Parse(text); err == nil {
			t.Errorf("%s: taken as %s", name, s)
		} else if strings.Contains(err.Error(), rfcAuth) || strings.Contains(err.Error(), "/push/") {
			t.Errorf("%s: the error holds a part of it: %v", name, err)
		}
	}
}

func TestLongestSubscription(t *testing.T) {
	text := "https://push.example.net/"
	text += strings.Repeat("x", MaxEndpoint-len(text)) + " " + rfcP256DH + " " + rfcAuth
	if _, err := Parse(text); err != nil || len(text) != MaxToken {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	if _, err := Parse(strings.Replace(text, "x", "xx", 1)); err == nil {
		t.Error("one more is taken")
	}
}

func TestOrigin(t *testing.T) {
	for endpoint, want := range map[string]string{
		rfcEndpoint:                          "https://push.example.net",
		"https://push.example.net:443/x":     "https://push.example.net",
		"https://push.example.net:8443/x":    "https://push.example.net:8443",
		"https://[2001:67c:2e8::1]:443/x?up": "https://[2001:67c:2e8::1]",
	} {
		s, err := Parse(endpoint + " " + rfcP256DH + " " + rfcAuth)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Origin(); got != want {
			t.Errorf("%s: %s", endpoint, got)
		}
	}
}

// FuzzParse: what is taken comes back as it was, is bounded and goes to https.
func FuzzParse(f *testing.F) {
	f.Add(rfcToken)
	for _, endpoint := range []string{"https://ntfy.example.net:8443/up?up=1", "https://[::1]/", "https://127.1/", "https://a:443", "http://a/", "https://a/%2f#", "https://u:p@a/"} {
		f.Add(endpoint + " " + rfcP256DH + " " + rfcAuth)
	}
	f.Add(rfcEndpoint + " " + rfcAuth + " " + rfcP256DH)
	f.Add("   ")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if s.String() != text || len(text) > MaxToken {
			t.Errorf("%q came back as %q", text, s)
		}
		if !strings.HasPrefix(s.Origin(), "https://") || s.Endpoint.User != nil || s.Endpoint.Hostname() == "" {
			t.Errorf("%q is taken", text)
		}
		if !strings.HasPrefix(s.Endpoint.String(), s.Origin()) {
			t.Errorf("%q is not of %q", s.Endpoint, s.Origin())
		}
	})
}
