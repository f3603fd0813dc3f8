package pushtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// APNsOptions say what the stand-in believes in.
type APNsOptions struct {
	Listen        string        // 127.0.0.1:0
	Topics        []string      // bundle ids that may be pushed to; org.example.chat
	KeyID         string        // ABC123DEFG
	TeamID        string        // TEAM45678X
	TokenInterval time.Duration // a second provider token sooner is answered 429; 0: not checked
	Streams       int           // requests at once on one connection; 1000
	Sandbox       bool          // it stands in for Apple's development environment
	Certificates  bool          // provider tokens are not taken: TLS demands a certificate
	Now           func() time.Time
}

// APNs stands in for Apple's push service.
type APNs struct {
	*server
	script
	opts APNsOptions
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	bearer string // the newest provider token that was taken
	signed time.Time
	issued map[string]PushCertificate // by their bytes
}

// NewAPNs starts a stand-in with a signing key of its own.
func NewAPNs(opts APNsOptions) (*APNs, error) {
	if len(opts.Topics) == 0 {
		opts.Topics = []string{"org.example.chat"}
	}
	if opts.KeyID == "" {
		opts.KeyID = "ABC123DEFG"
	}
	if opts.TeamID == "" {
		opts.TeamID = "TEAM45678X"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &APNs{opts: opts, key: key, issued: make(map[string]PushCertificate)}
	ask := tls.VerifyClientCertIfGiven
	if opts.Certificates {
		ask = tls.RequireAndVerifyClientCert
	}
	a.server, err = serve(listening{listen: opts.Listen, streams: opts.Streams, ask: ask}, a)
	return a, err
}

// KeyID names the signing key.
func (a *APNs) KeyID() string { return a.opts.KeyID }

// TeamID is whose key it is.
func (a *APNs) TeamID() string { return a.opts.TeamID }

// Key is the signing key as Apple hands it out: a .p8 file.
func (a *APNs) Key() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		panic(err) // a P-256 key can always be written
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// WriteFiles puts AuthKey.p8 and apns-ca.pem into a directory.
func (a *APNs) WriteFiles(dir string) (keyFile, caFile string, err error) {
	keyFile, caFile = filepath.Join(dir, "AuthKey.p8"), filepath.Join(dir, "apns-ca.pem")
	return keyFile, caFile, errors.Join(os.WriteFile(keyFile, a.Key(), 0o600), os.WriteFile(caFile, a.CAPEM(), 0o644))
}

// ServeHTTP takes a push.
func (a *APNs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", a.opts.Now().UTC().Format(http.TimeFormat))
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	got := Received{
		At:       time.Now(),
		Token:    strings.TrimPrefix(r.URL.Path, "/3/device/"),
		ID:       r.Header.Get("apns-id"),
		Topic:    r.Header.Get("apns-topic"),
		PushType: r.Header.Get("apns-push-type"),
		Priority: r.Header.Get("apns-priority"),
		Collapse: r.Header.Get("apns-collapse-id"),
		Bearer:   strings.TrimPrefix(r.Header.Get("authorization"), "bearer "),
		Peer:     r.RemoteAddr,
		Header:   r.Header.Clone(),
		Payload:  body,
	}
	if s, err := strconv.ParseInt(r.Header.Get("apns-expiration"), 10, 64); err == nil {
		got.Expires = time.Unix(s, 0)
	}
	var payload struct {
		Account string `json:"account"`
	}
	json.Unmarshal(body, &payload) // what is wrong with it is said below
	got.Account = payload.Account

	answered := a.note(got)
	reply := &Reply{}
	status, reason := a.judge(r, got)
	if status == http.StatusOK {
		if told := a.told(got); told != nil {
			reply = told
		}
	} else {
		reply.Status, reply.Reason = status, reason
	}
	if !a.play(w, r, reply) {
		panic(http.ErrAbortHandler)
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	id := got.ID
	if !uuid.MatchString(id) {
		id = newUUID()
	}
	w.Header()["apns-id"] = []string{id}
	answered(reply.Status, reply.Reason)
	write(w, reply.Status, "application/json", reply.apnsBody())
}

func (r *Reply) apnsBody() []byte {
	if r.Body != nil || r.Reason == "" {
		return r.Body
	}
	body := map[string]any{"reason": r.Reason}
	if !r.Timestamp.IsZero() {
		body["timestamp"] = r.Timestamp.UnixMilli()
	}
	return jsonBody(body)
}

// judge is what Apple would say, in the order in which it looks.
func (a *APNs) judge(r *http.Request, got Received) (int, string) {
	if r.ProtoMajor != 2 {
		return http.StatusHTTPVersionNotSupported, "HTTP/2 only"
	}
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "MethodNotAllowed"
	}
	if !strings.HasPrefix(r.URL.Path, "/3/device/") || strings.Contains(got.Token, "/") {
		return http.StatusNotFound, "BadPath"
	}
	for name, values := range r.Header {
		if len(values) > 1 && strings.HasPrefix(strings.ToLower(name), "apns-") {
			return http.StatusBadRequest, "DuplicateHeaders"
		}
	}
	if status, reason := a.authorise(r.TLS, r.Header); status != http.StatusOK {
		return status, reason
	}
	if r, is := a.refused(); is {
		return r.Status, r.Reason
	}
	if reason := a.headers(got, r.Header); reason != "" {
		return http.StatusBadRequest, reason
	}
	if got.Token == "" {
		return http.StatusBadRequest, "MissingDeviceToken"
	}
	if !goodAPNsToken(got.Token) {
		return http.StatusBadRequest, "BadDeviceToken"
	}
	return judgePayload(got)
}

// headers checks all but the authorisation.
func (a *APNs) headers(got Received, h http.Header) string {
	if got.ID != "" && !uuid.MatchString(got.ID) {
		return "BadMessageId"
	}
	if !slices.Contains([]string{"alert", "background", "voip"}, got.PushType) {
		return "InvalidPushType"
	}
	if !slices.Contains([]string{"10", "5", "1"}, got.Priority) || got.PushType == "background" && got.Priority != "5" {
		return "BadPriority"
	}
	if e := h.Get("apns-expiration"); e != "" {
		if n, err := strconv.ParseInt(e, 10, 64); err != nil || n < 0 {
			return "BadExpirationDate"
		}
		if got.Expires.After(a.opts.Now().Add(30*24*time.Hour + time.Minute)) {
			return "BadExpirationDate"
		}
	}
	if len(got.Collapse) > 64 {
		return "BadCollapseId"
	}
	if got.Topic == "" {
		return "MissingTopic"
	}
	bundle, voip := strings.CutSuffix(got.Topic, ".voip")
	if voip != (got.PushType == "voip") {
		return "BadTopic"
	}
	if !slices.Contains(a.opts.Topics, bundle) {
		return "TopicDisallowed"
	}
	return ""
}

func judgePayload(got Received) (int, string) {
	limit := 4096
	if got.PushType == "voip" {
		limit = 5120
	}
	if len(got.Payload) > limit {
		return http.StatusRequestEntityTooLarge, "PayloadTooLarge"
	}
	var p struct {
		APS *struct {
			Alert     json.RawMessage `json:"alert"`
			Sound     json.RawMessage `json:"sound"`
			Badge     json.RawMessage `json:"badge"`
			Available int             `json:"content-available"`
		} `json:"aps"`
	}
	if err := json.Unmarshal(got.Payload, &p); err != nil || p.APS == nil {
		return http.StatusBadRequest, "PayloadEmpty"
	}
	shown := p.APS.Alert != nil || p.APS.Sound != nil || p.APS.Badge != nil
	switch got.PushType {
	case "alert":
		if !shown {
			return http.StatusBadRequest, "BadPriority"
		}
	case "background":
		if shown || p.APS.Available != 1 {
			return http.StatusBadRequest, "InvalidPushType"
		}
	}
	return http.StatusOK, ""
}

// authorise checks the provider token, or else the client certificate.
func (a *APNs) authorise(state *tls.ConnectionState, h http.Header) (int, string) {
	bearer, ok := strings.CutPrefix(h.Get("authorization"), "bearer ")
	if !ok || a.opts.Certificates {
		if state != nil && len(state.VerifiedChains) > 0 {
			return a.permitted(state, h.Get("apns-topic"))
		}
		return http.StatusForbidden, "MissingProviderToken"
	}
	t, err := parseJWT(bearer)
	if err != nil || t.Header.Alg != "ES256" || t.Header.Kid != a.opts.KeyID || t.Claims.Iss != a.opts.TeamID || !a.knows(bearer) && !t.signedBy(&a.key.PublicKey) {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	now := a.opts.Now()
	age := now.Sub(time.Unix(t.Claims.Iat, 0))
	if age > time.Hour {
		return http.StatusForbidden, "ExpiredProviderToken"
	}
	if age < -5*time.Minute {
		return http.StatusForbidden, "InvalidProviderToken"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bearer != bearer {
		if a.bearer != "" && a.opts.TokenInterval > 0 && now.Sub(a.signed) < a.opts.TokenInterval {
			return http.StatusTooManyRequests, "TooManyProviderTokenUpdates"
		}
		a.bearer, a.signed = bearer, now
	}
	return http.StatusOK, ""
}

// knows reports whether a provider token was taken before: checking a signature
// costs more than the rest of a push, and clients keep their token for long.
func (a *APNs) knows(bearer string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bearer == bearer
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
