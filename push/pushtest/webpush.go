package pushtest

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// WebPushOptions say where the stand-in is, and what it speaks.
type WebPushOptions struct {
	Listen string // 127.0.0.1:0
	Host   string // in endpoints and in the certificate, with the port of Listen; the address of Listen
	HTTP1  bool   // HTTP/1.1 alone, as many self-hosted services
	Now    func() time.Time
}

// WebPush stands in for a push service, and for the apps behind it: it holds the
// keys of their subscriptions, so that it can read what only they can.
type WebPush struct {
	*server
	script
	opts   WebPushOptions
	origin string

	mu   sync.Mutex
	subs map[string]*subscriber // by path
}

// subscriber is an app that subscribed.
type subscriber struct {
	token   string
	private *ecdh.PrivateKey
	auth    []byte
	vapid   string // the only key that may push; empty: any
}

// NewWebPush starts a stand-in that nobody is subscribed to.
func NewWebPush(opts WebPushOptions) (*WebPush, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &WebPush{opts: opts, subs: make(map[string]*subscriber)}
	host := opts.Host
	if host == "" {
		host, _, _ = net.SplitHostPort(opts.Listen)
	}
	var err error
	if w.server, err = serve(listening{listen: opts.Listen, host: host, http1: opts.HTTP1}, w); err != nil {
		return nil, err
	}
	w.origin = w.URL()
	if opts.Host != "" {
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(w.URL(), "https://"))
		w.origin = "https://" + net.JoinHostPort(opts.Host, port)
	}
	return w, nil
}

// Origin is what VAPID tokens have to be for.
func (w *WebPush) Origin() string { return w.origin }

// Subscribe makes a subscription for an app with that VAPID key (base64url), or
// with an empty one for any sender, and gives its text form: endpoint, p256dh and
// auth. It is the same for the same seed.
func (w *WebPush) Subscribe(seed, vapid string) string {
	secret := func(what string) []byte {
		sum := sha256.Sum256([]byte("webpush " + what + " " + seed))
		return sum[:]
	}
	private, err := ecdh.P256().NewPrivateKey(secret("key"))
	if err != nil {
		panic(err) // one seed in 2^32 is no key: take another one
	}
	path := "/push/" + base64.RawURLEncoding.EncodeToString(secret("path"))
	s := &subscriber{private: private, auth: secret("auth")[:16], vapid: vapid}
	s.token = w.origin + path + " " + base64.RawURLEncoding.EncodeToString(private.PublicKey().Bytes()) +
		" " + base64.RawURLEncoding.EncodeToString(s.auth)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subs[path] = s
	return s.token
}

// Unsubscribe ends the subscription of that text: pushes to it are answered 410.
func (w *WebPush) Unsubscribe(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subs {
		if s.token == token {
			s.private = nil
		}
	}
}

// VAPIDKey makes a private key in PEM, as openssl ecparam does, with its public
// half as apps subscribe with it.
func VAPIDKey() (text []byte, public string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, "", err
	}
	point, err := key.PublicKey.Bytes()
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), base64.RawURLEncoding.EncodeToString(point), err
}

// ServeHTTP takes a message.
func (w *WebPush) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	got := Received{
		At:       time.Now(),
		Priority: r.Header.Get("Urgency"),
		Collapse: r.Header.Get("Topic"),
		Bearer:   r.Header.Get("Authorization"),
		Peer:     r.RemoteAddr,
		Header:   r.Header.Clone(),
	}
	if s, err := strconv.ParseUint(r.Header.Get("TTL"), 10, 31); err == nil {
		got.TTL = time.Duration(s) * time.Second
	}
	w.mu.Lock()
	var sub subscriber
	if s := w.subs[r.URL.RequestURI()]; s != nil {
		sub = *s
	}
	w.mu.Unlock()
	got.Token = sub.token
	status, reason := w.judge(r, sub, body)
	if status == http.StatusCreated {
		plain, err := sub.open(body)
		if err != nil {
			status, reason = http.StatusBadRequest, err.Error() // a real service cannot know
		}
		got.Payload = plain
		var payload struct {
			Account string `json:"account"`
		}
		json.Unmarshal(plain, &payload) // what is in it is for the tests to judge
		got.Account = payload.Account
	}
	answered := w.note(got)
	reply := &Reply{}
	if status == http.StatusCreated {
		if told := w.told(got); told != nil {
			reply = told
		}
		if reply.Status != 0 {
			status, reason = reply.Status, reply.Reason
		}
	}
	if !w.play(rw, r, reply) {
		panic(http.ErrAbortHandler)
	}
	if status == http.StatusCreated {
		rw.Header().Set("Location", w.origin+"/message/"+newUUID())
	}
	answered(status, reason)
	out := reply.Body
	if out == nil && reason != "" {
		out = []byte(reason + "\n")
	}
	write(rw, status, "text/plain; charset=utf-8", out)
}

var topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// judge is what a service would say that reads RFC 8030 strictly.
func (w *WebPush) judge(r *http.Request, sub subscriber, body []byte) (int, string) {
	if sub.token == "" {
		return http.StatusNotFound, "no such subscription"
	}
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "POST only"
	}
	if sub.private == nil {
		return http.StatusGone, "the subscription has ended"
	}
	if status, reason := w.authorise(r.Header.Get("Authorization"), sub.vapid); status != http.StatusOK {
		return status, reason
	}
	h := r.Header
	switch ttl, err := strconv.ParseUint(h.Get("TTL"), 10, 31); {
	case err != nil || len(h["Ttl"]) != 1 || ttl > 28*24*3600:
		return http.StatusBadRequest, "TTL is missing or wrong"
	case h.Get("Content-Encoding") != "aes128gcm":
		return http.StatusUnsupportedMediaType, "Content-Encoding must be aes128gcm"
	case !slices.Contains([]string{"very-low", "low", "normal", "high"}, h.Get("Urgency")):
		return http.StatusBadRequest, "Urgency is wrong"
	case h["Topic"] != nil && !topicForm.MatchString(h.Get("Topic")):
		return http.StatusBadRequest, "Topic is wrong"
	case len(body) > 4096:
		return http.StatusRequestEntityTooLarge, "more than 4096 bytes"
	case len(body) == 0:
		return http.StatusBadRequest, "there is no message"
	}
	return http.StatusCreated, ""
}

// authorise checks who pushes (RFC 8292 §4.2).
func (w *WebPush) authorise(header, only string) (int, string) {
	token, public, ok := vapidHeader(header)
	if !ok {
		return http.StatusUnauthorized, "Authorization must be: vapid t=TOKEN, k=KEY"
	}
	if problem := believe(token, public, w.origin, w.opts.Now()); problem != "" {
		return http.StatusForbidden, problem
	}
	if only != "" && only != public {
		return http.StatusForbidden, "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions."
	}
	return http.StatusOK, ""
}

var vapidForm = regexp.MustCompile(`^vapid t=([A-Za-z0-9_.-]+), ?k=([A-Za-z0-9_-]+)$`)

func vapidHeader(header string) (token, public string, ok bool) {
	m := vapidForm.FindStringSubmatch(header)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// believe says what is wrong with a token (RFC 8292 §2, and Apple's "Sending web
// push notifications in web apps and browsers"); empty: nothing.
func believe(token, public, origin string, now time.Time) (problem string) {
	key, err := vapidPublic(public)
	if err != nil {
		return "k is not a point of P-256"
	}
	t, err := parseJWT(token)
	if err != nil {
		return "t is not a JWT"
	}
	exp := time.Unix(t.Claims.Exp, 0)
	switch {
	case t.Header.Typ != "JWT", t.Header.Alg != "ES256":
		return "the JWT is not of ES256"
	case !t.signedBy(key):
		return "the JWT is not signed by k"
	case t.Claims.Aud != origin:
		return "aud is not " + origin
	case !exp.After(now):
		return "the JWT has expired"
	case exp.After(now.Add(24 * time.Hour)):
		return "exp is more than a day away"
	case !strings.HasPrefix(t.Claims.Sub, "mailto:") && !strings.HasPrefix(t.Claims.Sub, "https:"):
		return "sub is neither mailto: nor https:"
	}
	return ""
}

func vapidPublic(text string) (*ecdsa.PublicKey, error) {
	point, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(point) != 65 {
		return nil, errors.New("not an uncompressed point")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}
