package pushtest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// FCMOptions say what the stand-in believes in.
type FCMOptions struct {
	Listen    string // 127.0.0.1:0
	ProjectID string // example-chat
	Streams   int    // requests at once on one connection; 1000
	Now       func() time.Time
}

// FCM stands in for Firebase Cloud Messaging and for Google's token endpoint.
type FCM struct {
	*server
	script
	opts  FCMOptions
	key   *rsa.PrivateKey
	email string

	mu     sync.Mutex
	grants map[string]time.Time // access tokens and when they end
	minted int
	oauth  []Reply
}

// NewFCM starts a stand-in with a service account of its own.
func NewFCM(opts FCMOptions) (*FCM, error) {
	if opts.ProjectID == "" {
		opts.ProjectID = "example-chat"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	f := &FCM{opts: opts, key: key, grants: make(map[string]time.Time),
		email: "push@" + opts.ProjectID + ".iam.gserviceaccount.com"}
	f.server, err = serve(listening{listen: opts.Listen, streams: opts.Streams}, f)
	return f, err
}

// Credentials is the service account's file as Google hands it out, with this
// stand-in as token endpoint.
func (f *FCM) Credentials() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(f.key)
	if err != nil {
		panic(err) // an RSA key can always be written
	}
	return jsonBody(map[string]string{
		"type":           "service_account",
		"project_id":     f.opts.ProjectID,
		"private_key_id": "stand-in",
		"private_key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email":   f.email,
		"client_id":      "1",
		"token_uri":      f.URL() + "/token",
	})
}

// WriteFiles puts service-account.json and fcm-ca.pem into a directory.
func (f *FCM) WriteFiles(dir string) (credentialsFile, caFile string, err error) {
	credentialsFile, caFile = filepath.Join(dir, "service-account.json"), filepath.Join(dir, "fcm-ca.pem")
	return credentialsFile, caFile, errors.Join(
		os.WriteFile(credentialsFile, f.Credentials(), 0o600), os.WriteFile(caFile, f.CAPEM(), 0o644))
}

// QueueOAuth has the next token requests answered so; Reason is the OAuth error.
func (f *FCM) QueueOAuth(replies ...Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oauth = append(f.oauth, replies...)
}

// Minted is how many access tokens were given out.
func (f *FCM) Minted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.minted
}

// Revoke makes all access tokens worthless.
func (f *FCM) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.grants)
}

// ServeHTTP takes a message or a request for an access token.
func (f *FCM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", f.opts.Now().UTC().Format(http.TimeFormat))
	if r.URL.Path == "/token" {
		f.token(w, r)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	var m fcmRequest
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	decoded := dec.Decode(&m)
	ttl, _ := time.ParseDuration(m.Message.Android.TTL)
	got := Received{
		At:       time.Now(),
		Token:    m.Message.Token,
		Priority: m.Message.Android.Priority,
		TTL:      ttl,
		Collapse: m.Message.Android.CollapseKey,
		Account:  m.Message.Data["account"],
		DryRun:   m.ValidateOnly,
		Bearer:   strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		Peer:     r.RemoteAddr,
		Header:   r.Header.Clone(),
		Payload:  body,
	}
	answered := f.note(got)
	verdict := f.judge(r, m, decoded)
	reply := &Reply{}
	if verdict.status == http.StatusOK {
		if told := f.told(got); told != nil {
			reply = told
			if reply.Status != 0 {
				verdict = fault{status: reply.Status, code: reply.Reason}
			}
		}
	}
	if !f.play(w, r, reply) {
		panic(http.ErrAbortHandler)
	}
	answered(verdict.status, verdict.code)
	out := reply.Body
	switch {
	case out != nil:
	case verdict.status != http.StatusOK:
		out = verdict.body()
	case m.ValidateOnly:
		out = jsonBody(map[string]string{"name": "projects/" + f.opts.ProjectID + "/messages/fake_message_id"})
	default:
		out = jsonBody(map[string]string{"name": "projects/" + f.opts.ProjectID + "/messages/0:" + newUUID()})
	}
	write(w, verdict.status, "application/json; charset=UTF-8", out)
}

// fcmRequest is what we know of a message; anything else is refused.
type fcmRequest struct {
	ValidateOnly bool `json:"validate_only"`
	Message      struct {
		Token        string            `json:"token"`
		Data         map[string]string `json:"data"`
		Notification struct {
			Title string `json:"title"`
			Body  string `json:"body"`
		} `json:"notification"`
		Android struct {
			Priority     string `json:"priority"`
			TTL          string `json:"ttl"`
			CollapseKey  string `json:"collapse_key"`
			Notification struct {
				Tag string `json:"tag"`
			} `json:"notification"`
		} `json:"android"`
	} `json:"message"`
}

// fault is an error of the API: HTTP status, FcmError code, and for requests
// that are wrong the field that is.
type fault struct {
	status  int
	code    string // of the FcmError detail; empty: there is none
	field   string // of a BadRequest detail
	reason  string // of an ErrorInfo detail
	message string
}

var statusNames = map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
	429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}

func (f fault) body() []byte {
	var details []map[string]any
	if f.code != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": f.code})
	}
	if f.reason != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": f.reason, "domain": "googleapis.com"})
	}
	if f.field != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []map[string]string{{"field": f.field, "description": f.message}}})
	}
	return jsonBody(map[string]any{"error": map[string]any{
		"code": f.status, "message": f.message, "status": statusNames[f.status], "details": details}})
}

var ttlFormat = regexp.MustCompile(`^\d+(\.\d{1,9})?s$`)

func (f *FCM) judge(r *http.Request, m fcmRequest, decoded error) fault {
	refusal, refused := f.refused()
	switch {
	case r.ProtoMajor != 2:
		return fault{status: http.StatusHTTPVersionNotSupported, message: "HTTP/2 only"}
	case r.Method != http.MethodPost, !strings.HasPrefix(r.URL.Path, "/v1/projects/"), !strings.HasSuffix(r.URL.Path, "/messages:send"):
		return fault{status: http.StatusNotFound, message: "Not found"}
	case !f.granted(r.Header.Get("Authorization")):
		return fault{status: http.StatusUnauthorized, message: "Request had invalid authentication credentials."}
	case r.URL.Path != "/v1/projects/"+f.opts.ProjectID+"/messages:send":
		return fault{status: http.StatusForbidden, message: "Permission denied on the project."}
	case refused:
		return fault{status: refusal.Status, reason: refusal.Reason, message: "Refused."}
	case decoded != nil:
		return fault{status: http.StatusBadRequest, field: "message", message: "Invalid JSON payload received."}
	}
	if field, message := m.check(); field != "" {
		return fault{status: http.StatusBadRequest, code: "INVALID_ARGUMENT", field: field, message: message}
	}
	if !goodFCMToken(m.Message.Token) {
		return fault{status: http.StatusBadRequest, code: "INVALID_ARGUMENT",
			message: "The registration token is not a valid FCM registration token"}
	}
	return fault{status: http.StatusOK}
}

// check finds the field that is wrong, all but the token.
func (m fcmRequest) check() (field, message string) {
	shown := m.Message.Notification
	size := len(shown.Title) + len(shown.Body) + len(m.Message.Android.Notification.Tag)
	for key, value := range m.Message.Data {
		size += len(key) + len(value)
		if slices.Contains([]string{"from", "message_type"}, key) || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm") {
			return "message.data", "Invalid data payload key: " + key
		}
	}
	android := m.Message.Android
	ttl, err := time.ParseDuration(android.TTL)
	switch {
	case size == 0:
		return "message.data", "A wake without data and text reaches nobody."
	case size > 4096:
		return "message.data", "Message is too big."
	case android.Priority != "high" && android.Priority != "normal":
		return "message.android.priority", "Invalid value"
	case android.TTL == "":
		return "", ""
	case err != nil || !ttlFormat.MatchString(android.TTL) || ttl > 28*24*time.Hour:
		return "message.android.ttl", "Invalid TTL"
	}
	return "", ""
}

func (f *FCM) granted(header string) bool {
	bearer, ok := strings.CutPrefix(header, "Bearer ")
	f.mu.Lock()
	defer f.mu.Unlock()
	end, known := f.grants[bearer]
	return ok && known && f.opts.Now().Before(end)
}

// token gives an access token for a signed assertion (RFC 7523 §2.1).
func (f *FCM) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, reason, description string) {
		write(w, status, "application/json", jsonBody(map[string]string{"error": reason, "error_description": description}))
	}
	f.mu.Lock()
	var told *Reply
	if len(f.oauth) > 0 {
		told, f.oauth = &f.oauth[0], f.oauth[1:]
	}
	f.mu.Unlock()
	if told != nil {
		if !f.play(w, r, told) {
			panic(http.ErrAbortHandler)
		}
		switch {
		case told.Body != nil:
			write(w, max(told.Status, http.StatusOK), "application/json", told.Body)
			return
		case told.Status != 0:
			refuse(told.Status, told.Reason, "")
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		refuse(http.StatusBadRequest, "invalid_request", "not a form")
		return
	}
	if r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		refuse(http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	if problem := f.believe(r.PostForm.Get("assertion")); problem != "" {
		refuse(http.StatusBadRequest, "invalid_grant", problem)
		return
	}
	token := "ya29." + newUUID()
	f.mu.Lock()
	f.grants[token] = f.opts.Now().Add(time.Hour)
	f.minted++
	f.mu.Unlock()
	write(w, http.StatusOK, "application/json", jsonBody(map[string]any{"access_token": token, "expires_in": 3600, "token_type": "Bearer"}))
}

func (f *FCM) believe(assertion string) (problem string) {
	t, err := parseJWT(assertion)
	if err != nil {
		return "Invalid JWT"
	}
	sum := sha256.Sum256(t.Signed)
	now := f.opts.Now()
	iat, exp := time.Unix(t.Claims.Iat, 0), time.Unix(t.Claims.Exp, 0)
	switch {
	case t.Header.Alg != "RS256" || rsa.VerifyPKCS1v15(&f.key.PublicKey, crypto.SHA256, sum[:], t.Signature) != nil:
		return "Invalid JWT Signature."
	case t.Claims.Iss != f.email:
		return "Invalid grant: account not found"
	case t.Claims.Aud != f.URL()+"/token":
		return "Invalid JWT: wrong audience"
	case !strings.Contains(t.Claims.Scope, "https://www.googleapis.com/auth/firebase.messaging") &&
		!strings.Contains(t.Claims.Scope, "https://www.googleapis.com/auth/cloud-platform"):
		return "Invalid JWT: scope"
	case exp.Before(now) || iat.After(now.Add(5*time.Minute)) || exp.Sub(iat) > time.Hour+time.Minute:
		return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
	}
	return ""
}
