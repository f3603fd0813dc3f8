package pushtest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	cryptolib "crypto"

	"go.uber.org/goleak"

	"rouse/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is a plain HTTP client: the stand-ins are tried with requests made by
// hand, since the real client libraries would never send most of these.
func client(t *testing.T, ca []byte, http2 bool) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
	if !http2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func do(t *testing.T, c *http.Client, method, url string, header map[string]string, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func part(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func private(t *testing.T, text []byte) any {
	t.Helper()
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// es256 signs a provider token.
func es256(t *testing.T, p8 []byte, alg, kid, iss string, iat time.Time) string {
	t.Helper()
	text := part(t, map[string]string{"alg": alg, "kid": kid}) + "." + part(t, map[string]any{"iss": iss, "iat": iat.Unix()})
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, private(t, p8).(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestAPNsIsStrict(t *testing.T) {
	a, err := pushtest.NewAPNs(pushtest.APNsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	other, err := pushtest.NewAPNs(pushtest.APNsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	now := time.Now()
	bearer := func(p8 []byte, alg, kid, iss string, iat time.Time) string {
		return "bearer " + es256(t, p8, alg, kid, iss, iat)
	}
	good := map[string]string{
		"authorization": bearer(a.Key(), "ES256", a.KeyID(), a.TeamID(), now), "apns-topic": "org.example.chat", "apns-push-type": "alert",
		"apns-priority": "10", "apns-id": "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0", "apns-expiration": "2000000000", "apns-collapse-id": "x",
	}
	delete(good, "apns-expiration")
	const alert, silent = `{"aps":{"alert":"x"}}`, `{"aps":{"content-available":1}}`
	path := "/3/device/" + pushtest.APNsToken("x")
	h2, h1 := client(t, a.CAPEM(), true), client(t, a.CAPEM(), false)
	for _, c := range []struct {
		name   string
		path   string
		header map[string]string // over good; "" takes away
		body   string
		status int
		reason string
	}{
		{"good", path, nil, alert, 200, ""},
		{"background", path, map[string]string{"apns-push-type": "background", "apns-priority": "5"}, silent, 200, ""},
		{"voip", path, map[string]string{"apns-push-type": "voip", "apns-topic": "org.example.chat.voip"}, `{"aps":{}}`, 200, ""},
		{"path", "/3/devices/x", nil, alert, 404, "BadPath"},
		{"no token", "/3/device/", nil, alert, 400, "MissingDeviceToken"},
		{"zero token", "/3/device/" + strings.Repeat("0", 64), nil, alert, 400, "BadDeviceToken"},
		{"short token", "/3/device/abcd", nil, alert, 400, "BadDeviceToken"},
		{"token that is not hex", "/3/device/" + strings.Repeat("x", 64), nil, alert, 400, "BadDeviceToken"},
		{"no authorisation", path, map[string]string{"authorization": ""}, alert, 403, "MissingProviderToken"},
		{"not a JWT", path, map[string]string{"authorization": "bearer x.y.z"}, alert, 403, "InvalidProviderToken"},
		{"another key", path, map[string]string{"authorization": bearer(other.Key(), "ES256", a.KeyID(), a.TeamID(), now)}, alert, 403, "InvalidProviderToken"},
		{"another algorithm", path, map[string]string{"authorization": bearer(a.Key(), "none", a.KeyID(), a.TeamID(), now)}, alert, 403, "InvalidProviderToken"},
		{"another kid", path, map[string]string{"authorization": bearer(a.Key(), "ES256", "X", a.TeamID(), now)}, alert, 403, "InvalidProviderToken"},
		{"another team", path, map[string]string{"authorization": bearer(a.Key(), "ES256", a.KeyID(), "X", now)}, alert, 403, "InvalidProviderToken"},
		{"old", path, map[string]string{"authorization": bearer(a.Key(), "ES256", a.KeyID(), a.TeamID(), now.Add(-61*time.Minute))}, alert, 403, "ExpiredProviderToken"},
		{"from the future", path, map[string]string{"authorization": bearer(a.Key(), "ES256", a.KeyID(), a.TeamID(), now.Add(time.Hour))}, alert, 403, "InvalidProviderToken"},
		{"no topic", path, map[string]string{"apns-topic": ""}, alert, 400, "MissingTopic"},
		{"another topic", path, map[string]string{"apns-topic": "org.example"}, alert, 400, "TopicDisallowed"},
		{"voip without its topic", path, map[string]string{"apns-push-type": "voip"}, alert, 400, "BadTopic"},
		{"no push type", path, map[string]string{"apns-push-type": ""}, alert, 400, "InvalidPushType"},
		{"no priority", path, map[string]string{"apns-priority": ""}, alert, 400, "BadPriority"},
		{"background in a hurry", path, map[string]string{"apns-push-type": "background"}, silent, 400, "BadPriority"},
		{"background that shows", path, map[string]string{"apns-push-type": "background", "apns-priority": "5"}, alert, 400, "InvalidPushType"},
		{"alert that shows nothing", path, nil, silent, 400, "BadPriority"},
		{"id", path, map[string]string{"apns-id": "1"}, alert, 400, "BadMessageId"},
		{"expiration", path, map[string]string{"apns-expiration": "soon"}, alert, 400, "BadExpirationDate"},
		{"collapse", path, map[string]string{"apns-collapse-id": strings.Repeat("x", 65)}, alert, 400, "BadCollapseId"},
		{"empty", path, nil, "", 400, "PayloadEmpty"},
		{"no aps", path, nil, "{}", 400, "PayloadEmpty"},
		{"at the limit", path, nil, alert + strings.Repeat(" ", 4096-len(alert)), 200, ""},
		{"beyond", path, nil, alert + strings.Repeat(" ", 4097-len(alert)), 413, "PayloadTooLarge"},
	} {
		header := maps.Clone(good)
		for k, v := range c.header {
			if header[k] = v; v == "" {
				delete(header, k)
			}
		}
		status, body := do(t, h2, http.MethodPost, a.URL()+c.path, header, c.body)
		if status != c.status || c.reason != "" && !strings.Contains(body, `"`+c.reason+`"`) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, body, c.status, c.reason)
		}
	}
	if status, body := do(t, h2, http.MethodGet, a.URL()+path, good, ""); status != 405 || !strings.Contains(body, "MethodNotAllowed") {
		t.Errorf("GET: %d %s", status, body)
	}
	if status, _ := do(t, h1, http.MethodPost, a.URL()+path, good, alert); status != http.StatusHTTPVersionNotSupported {
		t.Errorf("HTTP/1: %d", status)
	}
	if n := len(a.Delivered()); n != 4 {
		t.Errorf("%d were delivered", n)
	}
}

func TestAPNsCountsProviderTokens(t *testing.T) {
	now := time.Now()
	a, err := pushtest.NewAPNs(pushtest.APNsOptions{TokenInterval: 20 * time.Minute, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := client(t, a.CAPEM(), true)
	push := func(bearer string) int {
		status, _ := do(t, c, http.MethodPost, a.URL()+"/3/device/"+pushtest.APNsToken("x"), map[string]string{
			"authorization": "bearer " + bearer, "apns-topic": "org.example.chat", "apns-push-type": "alert", "apns-priority": "10"}, `{"aps":{"alert":"x"}}`)
		return status
	}
	first := es256(t, a.Key(), "ES256", a.KeyID(), a.TeamID(), now)
	second := es256(t, a.Key(), "ES256", a.KeyID(), a.TeamID(), now)
	if a, b := push(first), push(second); a != 200 || b != 429 {
		t.Errorf("%d, then %d", a, b)
	}
	now = now.Add(21 * time.Minute)
	if b := push(second); b != 200 {
		t.Errorf("20 minutes later: %d", b)
	}
}

func TestFCMIsStrict(t *testing.T) {
	f, err := pushtest.NewFCM(pushtest.FCMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var account map[string]string
	if err := json.Unmarshal(f.Credentials(), &account); err != nil {
		t.Fatal(err)
	}
	key := private(t, []byte(account["private_key"])).(*rsa.PrivateKey)
	c := client(t, f.CAPEM(), true)
	now := time.Now()
	claims := func(change string, value any) map[string]any {
		m := map[string]any{"iss": account["client_email"], "aud": account["token_uri"], "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			"scope": "https://www.googleapis.com/auth/firebase.messaging"}
		if change != "" {
			m[change] = value
		}
		return m
	}
	grant := func(m map[string]any, spoil bool) (int, string) {
		text := part(t, map[string]string{"alg": "RS256"}) + "." + part(t, m)
		sum := sha256.Sum256([]byte(text))
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, cryptolib.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		if spoil {
			sig[0] ^= 1
		}
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {text + "." + base64.RawURLEncoding.EncodeToString(sig)}}
		return do(t, c, http.MethodPost, account["token_uri"], map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form.Encode())
	}
	for change, value := range map[string]any{"iss": "x", "aud": "x", "exp": now.Add(-time.Minute).Unix(), "iat": now.Add(time.Hour).Unix(), "scope": "x"} {
		if status, body := grant(claims(change, value), false); status != 400 || !strings.Contains(body, "invalid_grant") {
			t.Errorf("%s: %d %s", change, status, body)
		}
	}
	if status, _ := grant(claims("", nil), true); status != 400 {
		t.Errorf("spoilt signature: %d", status)
	}
	status, body := grant(claims("", nil), false)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}

	good := map[string]string{"Authorization": "Bearer " + token.AccessToken, "Content-Type": "application/json"}
	path := "/v1/projects/example-chat/messages:send"
	message := func(token, android, data string) string {
		return `{"message":{"token":"` + token + `","android":` + android + `,"data":` + data + `}}`
	}
	id, android, data := pushtest.FCMToken("x"), `{"priority":"high","ttl":"45s"}`, `{"account":"x"}`
	for _, tc := range []struct {
		name, path string
		header     map[string]string
		body       string
		status     int
		want       string
	}{
		{"good", path, good, message(id, android, data), 200, "messages/0:"},
		{"no authorisation", path, nil, message(id, android, data), 401, "UNAUTHENTICATED"},
		{"made-up authorisation", path, map[string]string{"Authorization": "Bearer x"}, message(id, android, data), 401, "UNAUTHENTICATED"},
		{"another project", "/v1/projects/x/messages:send", good, message(id, android, data), 403, "PERMISSION_DENIED"},
		{"another path", "/v1/messages:send", good, message(id, android, data), 404, "NOT_FOUND"},
		{"not JSON", path, good, "x", 400, "fieldViolations"},
		{"a field we never send", path, good, `{"message":{"token":"` + id + `","topic":"x"}}`, 400, "fieldViolations"},
		{"token", path, good, message("x", android, data), 400, "registration token"},
		{"priority", path, good, message(id, `{"priority":"urgent"}`, data), 400, "message.android.priority"},
		{"ttl", path, good, message(id, `{"priority":"high","ttl":"1h"}`, data), 400, "message.android.ttl"},
		{"ttl for ever", path, good, message(id, `{"priority":"high","ttl":"2419201s"}`, data), 400, "message.android.ttl"},
		{"no data", path, good, message(id, android, `{}`), 400, "message.data"},
		{"a reserved key", path, good, message(id, android, `{"from":"x"}`), 400, "message.data"},
		{"too big", path, good, message(id, android, `{"account":"`+strings.Repeat("x", 4090)+`"}`), 400, "too big"},
	} {
		status, body := do(t, c, http.MethodPost, f.URL()+tc.path, tc.header, tc.body)
		if status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s, want %d %s", tc.name, status, body, tc.status, tc.want)
		}
	}
	if n := len(f.Delivered()); n != 1 {
		t.Errorf("%d were delivered", n)
	}
}

func TestListAndWait(t *testing.T) {
	a, err := pushtest.NewAPNs(pushtest.APNsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := client(t, a.CAPEM(), true)
	header := map[string]string{"authorization": "bearer " + es256(t, a.Key(), "ES256", a.KeyID(), a.TeamID(), time.Now()),
		"apns-topic": "org.example.chat", "apns-push-type": "alert", "apns-priority": "10"}
	a.Queue(pushtest.Reply{Status: 503, Reason: "Shutdown", RetryAfter: "1"})
	a.Answer(func(r pushtest.Received) *pushtest.Reply {
		if r.Account == "gone" {
			return &pushtest.Reply{Status: 410, Reason: "Unregistered", Timestamp: time.Unix(1_700_000_000, 0)}
		}
		return nil
	})
	var told []int
	a.OnAnswer(func(r pushtest.Received) { told = append(told, r.Status) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	waited := make(chan []pushtest.Received)
	go func() {
		got, err := a.WaitDelivered(ctx, 1)
		if err != nil {
			t.Error(err)
		}
		waited <- got
	}()
	for _, account := range []string{"first", "gone", "third"} {
		_, body := do(t, c, http.MethodPost, a.URL()+"/3/device/"+pushtest.APNsToken("x"), header, `{"aps":{"alert":"x"},"account":"`+account+`"}`)
		if account == "gone" && !strings.Contains(body, "1700000000000") {
			t.Errorf("no timestamp: %s", body)
		}
	}
	if got := <-waited; len(got) != 1 || got[0].Account != "third" {
		t.Errorf("delivered %+v", got)
	}
	got, err := a.Wait(ctx, 3)
	if err != nil || got[0].Status != 503 || got[1].Reason != "Unregistered" || got[2].Status != 200 {
		t.Errorf("%v, %+v", err, got)
	}
	if !slices.Equal(told, []int{503, 410, 200}) {
		t.Errorf("told of %v", told)
	}
	cancel()
	if _, err := a.Wait(ctx, 4); err == nil {
		t.Error("waited for what never came")
	}
	a.Forget()
	if len(a.Received()) != 0 {
		t.Error("not forgotten")
	}
}

func TestFiles(t *testing.T) {
	a, err := pushtest.NewAPNs(pushtest.APNsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	f, err := pushtest.NewFCM(pushtest.FCMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	if _, _, err := a.WriteFiles(dir); err != nil {
		t.Error(err)
	}
	if _, _, err := f.WriteFiles(dir); err != nil {
		t.Error(err)
	}
	if bytes.Equal(a.CAPEM(), f.CAPEM()) {
		t.Error("both have one authority")
	}
}
