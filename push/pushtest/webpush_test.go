package pushtest

import (
	"crypto/ecdh"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

func b64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8188 §3.1 and §3.2: one record, and two with padding.
func TestContentCodingOfTheRFC(t *testing.T) {
	for name, c := range map[string]struct{ ikm, body, keyid string }{
		"§3.1": {"yqdlZ-tYemfogSmv7Ws5PQ", "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg", ""},
		"§3.2": {"BO3ZVPxUlnLORbVGMpbT1Q", "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA", "a1"},
	} {
		coded, err := parseCoding(b64(t, c.body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plain, err := coded.open(b64(t, c.ikm))
		if err != nil || string(plain) != "I am the walrus" || string(coded.keyid) != c.keyid {
			t.Errorf("%s: %q of %q, %v", name, plain, coded.keyid, err)
		}
	}
}

// RFC 8291 §5 and appendix A, as the app sees it.
func TestMessageOfTheRFC(t *testing.T) {
	private, err := ecdh.P256().NewPrivateKey(b64(t, "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
	if err != nil {
		t.Fatal(err)
	}
	s := subscriber{private: private, auth: b64(t, "BTBZMqHH6r4Tts7J_aSIgg")}
	body := b64(t, "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
	plain, err := s.open(body)
	if err != nil || string(plain) != "When I grow up, I want to be a watermelon" {
		t.Errorf("%q, %v", plain, err)
	}
	for i := range body {
		bad := append([]byte(nil), body...)
		bad[i] ^= 1
		if _, err := s.open(bad); err == nil && (i < 16 || i > 19) { // the record size may be larger than the record
			t.Errorf("byte %d does not matter", i)
		}
	}
}

// RFC 8292 §2.4.
func TestTokenOfTheRFC(t *testing.T) {
	const header = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0" +
		".i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
	token, key, ok := vapidHeader(header)
	if !ok {
		t.Fatal("not taken apart")
	}
	const origin = "https://push.example.net"
	end := time.Unix(1453523768, 0)
	other := "B" + key[1:len(key)-1] + "t"
	for name, c := range map[string]struct {
		token, key, origin string
		now                time.Time
		want               string
	}{
		"fine":            {token, key, origin, end.Add(-time.Hour), ""},
		"a day before":    {token, key, origin, end.Add(-24 * time.Hour), ""},
		"sooner":          {token, key, origin, end.Add(-24*time.Hour - time.Second), "more than a day"},
		"at its end":      {token, key, origin, end, "expired"},
		"another service": {token, key, "https://push.example.org", end.Add(-time.Hour), "aud"},
		"another claim":   {strings.Replace(token, ".eyJ", ".eyK", 1), key, origin, end.Add(-time.Hour), "JWT"},
		"another sign":    {token[:len(token)-2] + "oQ", key, origin, end.Add(-time.Hour), "not signed"},
		"another key":     {token, other, origin, end.Add(-time.Hour), "P-256"},
	} {
		got := believe(c.token, c.key, c.origin, c.now)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What the stand-in refuses of a request that is otherwise a good one is tested
// with the provider, whose requests are good; here is what no provider sends.
func TestWebPushRefuses(t *testing.T) {
	w, err := NewWebPush(WebPushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.CAPEM())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	endpoint, _, _ := strings.Cut(w.Subscribe("juliet", ""), " ")
	for name, c := range map[string]struct {
		method, url, authorization string
		want                       int
	}{
		"no such subscription": {"POST", w.Origin() + "/push/nobody", "", http.StatusNotFound},
		"another method":       {"GET", endpoint, "", http.StatusMethodNotAllowed},
		"nobody":               {"POST", endpoint, "", http.StatusUnauthorized},
		"the old scheme":       {"POST", endpoint, "WebPush x.y.z", http.StatusUnauthorized},
		"not a key":            {"POST", endpoint, "vapid t=x.y.z, k=AAAA", http.StatusForbidden},
	} {
		r, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", c.authorization)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.want)
		}
	}
	if len(w.Delivered()) != 0 || len(w.Received()) != 5 {
		t.Errorf("%+v", w.Received())
	}
}
