package main

import (
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rouse/component/unifiedpush"
	"rouse/servers/lab"
)

// TestUnifiedPushByXMPP: a distributor gets an address, what another app's server
// posts there reaches it, also after a restart of rouse; and who posts is told
// when it is not there.
func TestUnifiedPushByXMPP(t *testing.T) {
	p := prepare(t, lab.Options{})
	text, err := os.ReadFile(p.config())
	p.must(err)
	p.must(os.WriteFile(p.config(), []byte(strings.Replace(string(text), "[web]\n", "[web]\nunifiedpush = \"http://"+p.web+"\"\n", 1)), 0o600))
	p.must(p.start(p.ctx))
	p.romeo = p.client("romeo", "desk", lab.ClientOptions{})

	phone := p.client("juliet", "phone", lab.ClientOptions{})
	const application, instance = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	answer, err := phone.IQ(p.ctx, p.server.Rouse().JID, "set",
		"<register xmlns='"+unifiedpush.NS+"' application='"+application+"' instance='"+instance+"'/>")
	p.must(err)
	var iq struct {
		Registered struct {
			Endpoint   string    `xml:"endpoint,attr"`
			Expiration time.Time `xml:"expiration,attr"`
		} `xml:"registered"`
	}
	p.must(xml.Unmarshal([]byte(answer), &iq))
	address := iq.Registered.Endpoint
	if left := time.Until(iq.Registered.Expiration); left < 7*24*time.Hour || !strings.HasPrefix(address, "http://"+p.web+"/push/") {
		t.Fatalf("answered %s", answer)
	}

	posts := func(body string, want int) {
		t.Helper()
		resp, err := http.Post(address, "application/octet-stream", strings.NewReader(body))
		p.must(err)
		defer resp.Body.Close()
		if said, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
			t.Fatalf("answered %d %s, want %d", resp.StatusCode, said, want)
		}
	}
	arrives := func(body string) {
		t.Helper()
		coded := base64.StdEncoding.EncodeToString([]byte(body))
		s, err := phone.Await(p.ctx, func(s lab.Stanza) bool { return strings.Contains(s.XML, coded) })
		p.must(err)
		if s.Type != "set" || !strings.Contains(s.XML, application) || !strings.Contains(s.XML, instance) {
			t.Errorf("the client got %s", s.XML)
		}
	}
	posts("first\x00\xff", http.StatusCreated)
	arrives("first\x00\xff")

	p.must(p.stop())
	p.starts()
	posts("after a restart", http.StatusCreated)
	arrives("after a restart")

	p.leaves(phone)
	posts("to nobody", http.StatusServiceUnavailable)
	p.noSecrets(strings.TrimPrefix(address, "http://"+p.web+"/push/"), "after a restart")
}
