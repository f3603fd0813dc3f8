package webpush

import (
	"testing"

	"rouse/push"
)

// RFC 8030 §5, §7.3 and §8.4, RFC 8292 §4.2; Mozilla, "Autopush, Error Codes";
// Apple, "Sending web push notifications in web apps and browsers"; Microsoft,
// "Push notification service request and response headers".
func TestClassify(t *testing.T) {
	const mismatch = "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions.\n"
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   push.Outcome
		word   string
	}{
		{"created", 201, "", push.Delivered, ""},
		{"accepted", 202, "", push.Delivered, ""},
		{"ok", 200, "", push.Delivered, ""},
		{"no content", 204, "", push.Delivered, ""},
		{"ok with words", 200, `{"reason":"BadJwtToken"}`, push.Delivered, "BadJwtToken"},
		{"another success", 206, "", push.Unavailable, ""},
		{"moved", 301, "", push.Unavailable, ""},
		{"found", 302, "<html>", push.Unavailable, ""},
		{"temporary", 307, "", push.Unavailable, ""},
		{"permanent", 308, "", push.Unavailable, ""},
		{"not found", 404, "", push.TokenGone, ""},
		{"gone", 410, `{"code":410,"errno":106,"error":"Gone"}`, push.TokenGone, "errno 106"},
		{"gone, with words", 410, "UnauthorizedRegistration", push.TokenGone, "UnauthorizedRegistration"},
		{"our mistake", 400, "", push.BadRequest, ""},
		{"our mistake, Mozilla", 400, `{"code":400,"errno":110}`, push.BadRequest, "errno 110"},
		{"another key, Apple", 400, `{"reason":"VapidPkHashMismatch"}`, push.BadCredentials, "VapidPkHashMismatch"},
		{"another key, Google of old", 400, "<TITLE>UnauthorizedRegistration</TITLE>", push.BadCredentials, "UnauthorizedRegistration"},
		{"another key, Google", 403, mismatch, push.BadCredentials, "made for another key"},
		{"another key, Mozilla", 401, `{"code":401,"errno":109,"error":"Unauthorized","message":"VAPID public key mismatch"}`, push.BadCredentials, "errno 109"},
		{"token, Apple", 403, `{"reason":"BadJwtToken"}`, push.BadCredentials, "BadJwtToken"},
		{"unauthorized", 401, "", push.BadCredentials, ""},
		{"forbidden", 403, "<html>", push.BadCredentials, ""},
		{"method", 405, "", push.BadRequest, ""},
		{"throttled, Microsoft", 406, "", push.RateLimited, ""},
		{"timeout", 408, "", push.Unavailable, ""},
		{"length", 411, "", push.BadRequest, ""},
		{"precondition", 412, "", push.BadRequest, ""},
		{"too large", 413, `{"errno":104}`, push.BadRequest, "errno 104"},
		{"uri", 414, "", push.BadRequest, ""},
		{"media type", 415, "", push.BadRequest, ""},
		{"teapot", 418, "", push.Unavailable, ""},
		{"misdirected", 421, "", push.Unavailable, ""},
		{"too many", 429, "", push.RateLimited, ""},
		{"legal", 451, "", push.Unavailable, ""},
		{"broken", 500, "", push.Unavailable, ""},
		{"broken, with words", 500, mismatch, push.Unavailable, "made for another key"},
		{"gateway", 502, "<html>", push.Unavailable, ""},
		{"down", 503, `{"errno":201}`, push.Unavailable, "errno 201"},
		{"late", 504, "", push.Unavailable, ""},
		{"a word that is none", 400, `{"reason":"Bad\nline=x"}`, push.BadRequest, "Bad"},
		{"other types", 400, `{"reason":1,"errno":"x"}`, push.BadRequest, ""},
	} {
		f := parseFault([]byte(c.body))
		r := classify(c.status, f)
		if r.Outcome != c.want || f.word != c.word {
			t.Errorf("%s: %v %q, want %v %q", c.name, r.Outcome, f.word, c.want, c.word)
		}
		if (r.Outcome.Stops() || r.Outcome == push.BadRequest) && r.Remedy == "" {
			t.Errorf("%s: no remedy", c.name)
		}
		if r.Doubtful {
			t.Errorf("%s: doubtful", c.name)
		}
	}
}

func FuzzFault(f *testing.F) {
	f.Add(400, []byte(`{"reason":"VapidPkHashMismatch"}`))
	f.Add(401, []byte(`{"code":401,"errno":109}`))
	f.Add(410, []byte("<html>"))
	f.Add(403, []byte("do not correspond to the credentials used to create"))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		fault := parseFault(text)
		r := classify(status, fault)
		if (r.Outcome == push.TokenGone) != (status == 404 || status == 410) {
			t.Errorf("%d %q: %v", status, text, r.Outcome)
		}
		if r.Outcome == push.Delivered && status/100 != 2 {
			t.Error("an error became a success")
		}
		for _, c := range fault.word {
			if c < ' ' || c > '~' {
				t.Errorf("%q stands in records", fault.word)
			}
		}
	})
}
