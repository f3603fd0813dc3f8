package unifiedpush

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	xmpp "mellium.im/xmpp/stanza"

	"rouse/component"
	"rouse/component/stanza"
)

// FuzzHTTP: only an address that was given out reaches a client, and it alone, with
// what was posted and no more than RFC 8030 has one take.
func FuzzHTTP(f *testing.F) {
	s, err := newSealer([32]byte{7})
	if err != nil {
		f.Fatal(err)
	}
	good := s.seal(phone)
	f.Add("POST", good, []byte("x"))
	f.Add("POST", good, []byte(strings.Repeat("x", maxBody+1)))
	f.Add("POST", good[:20]+"/../"+good[20:], []byte{0})
	f.Add("PUT", "", []byte{})
	f.Add("GET", "%2e%2e", []byte{})
	f.Fuzz(func(t *testing.T, method, token string, body []byte) {
		r, err := http.NewRequest(method, "http://up.example.org"+Path, strings.NewReader(string(body)))
		if err != nil {
			return
		}
		r.URL.Path = Path + token
		now, c, w := start, new(client), httptest.NewRecorder()
		newTransport(t, c, &now).ServeHTTP(w, r)
		to, err := s.open(token, start) // seeds are sealed anew in each process that fuzzes
		reached := method == "POST" && err == nil && to.client.Equal(phone.client) && len(body) > 0 && len(body) <= maxBody
		switch {
		case reached != (len(c.got) == 1), reached && w.Code != http.StatusCreated, !reached && w.Code == http.StatusCreated, w.Code >= 500:
			t.Errorf("%s %q with %d bytes: %d, %d pushes", method, token, len(body), w.Code, len(c.got))
		case reached && (c.got[0].Get("to") != phone.client.String() || c.got[0].Children[0].Text != base64.StdEncoding.EncodeToString(body)):
			t.Errorf("%+v", c.got[0])
		}
	})
}

// FuzzRegister: an address is for one client of ours, and for apps named by a hash.
func FuzzRegister(f *testing.F) {
	hash := formatHash([32]byte{1})
	f.Add(hash, hash)
	f.Add(hash[:43], hash+"=")
	f.Add(strings.Repeat("A", 44), "\n")
	f.Fuzz(func(t *testing.T, application, instance string) {
		now := start
		tr := newTransport(t, new(client), &now)
		answer := tr.register(t.Context(), component.IQ{From: phone.client, Payload: stanza.Element{Space: NS, Name: "register", Attr: []stanza.Attr{
			{Name: "application", Value: application}, {Name: "instance", Value: instance}}}})
		if answer.Err != nil {
			if answer.Err.Condition != xmpp.BadRequest {
				t.Errorf("%v", answer.Err)
			}
			return
		}
		to, err := tr.seal.open(strings.TrimPrefix(answer.Payload.Get("endpoint"), "https://up.example.org"+Path), now.Add(Life-time.Second))
		if err != nil || !to.client.Equal(phone.client) || formatHash(to.application) != application || formatHash(to.instance) != instance {
			t.Errorf("%+v, %v", to, err)
		}
	})
}
