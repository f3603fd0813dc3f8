package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The bounds of a subscription as text. The services of the field have endpoints
// of 150 to 700 bytes.
const (
	MaxEndpoint = 2048
	MaxToken    = MaxEndpoint + len(" ") + 87 + len(" ") + 22

	authSize  = 16 // RFC 8291 §3.2
	pointSize = 65 // an uncompressed point of P-256 (RFC 8291 §3.1)
)

// Subscription is what a push service gave to the app (W3C Push API,
// PushSubscription; UnifiedPush has the same). As text it is the token of a
// registration:
//
//	https://push.example.net/push/JzLQ3… BCVxsr7N_eNgVRqv… BTBZMqHH6r4Tts7J_aSIgg
//
// that is the endpoint, p256dh and auth, with one space between them; the last
// two in base64url without padding (RFC 7515 §2). There is one text for each
// subscription, so that equal texts mean the same device.
type Subscription struct {
	Endpoint *url.URL        // https, with a host, without user and fragment
	P256DH   *ecdh.PublicKey // the app's key
	Auth     [authSize]byte  // the secret that it shares with us alone
}

// Base64 is base64url without padding, and without bits that say nothing.
var base64url = base64.RawURLEncoding.Strict()

// Parse reads the text that String gives, and nothing else. Its errors never
// hold a part of the text.
func Parse(text string) (Subscription, error) {
	if len(text) > MaxToken {
		return Subscription{}, errors.New("longer than any subscription")
	}
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return Subscription{}, errors.New("not an endpoint, p256dh and auth with one space between them")
	}
	endpoint, err := parseEndpoint(parts[0])
	if err != nil {
		return Subscription{}, err
	}
	point, err := decode(parts[1], pointSize)
	if err != nil {
		return Subscription{}, errors.New("p256dh is not 65 bytes in base64url without padding")
	}
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return Subscription{}, errors.New("p256dh is not a point of P-256")
	}
	auth, err := decode(parts[2], authSize)
	if err != nil {
		return Subscription{}, errors.New("auth is not 16 bytes in base64url without padding")
	}
	return Subscription{Endpoint: endpoint, P256DH: key, Auth: [authSize]byte(auth)}, nil
}

// String gives the text that Parse reads.
func (s Subscription) String() string {
	return s.Endpoint.String() + " " + base64url.EncodeToString(s.P256DH.Bytes()) + " " + base64url.EncodeToString(s.Auth[:])
}

// Origin is the push service (RFC 6454 §6.1): whom a VAPID token is for.
func (s Subscription) Origin() string {
	return "https://" + strings.TrimSuffix(s.Endpoint.Host, ":443")
}

// decode reads base64url of a known size. The decoder of the standard library
// skips line ends, so the length of the text counts too.
func decode(text string, size int) ([]byte, error) {
	b, err := base64url.DecodeString(text)
	if err != nil || len(b) != size || len(text) != base64url.EncodedLen(size) {
		return nil, errors.New("not base64url of that size")
	}
	return b, nil
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// parseEndpoint takes an address as browsers write it (WHATWG URL): what was
// checked is then what is sent, to the byte.
func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > MaxEndpoint:
		return nil, errors.New("the endpoint is longer than any endpoint")
	case err != nil:
		return nil, errors.New("the endpoint is not a URL")
	case u.Scheme != "https", u.Opaque != "":
		return nil, errors.New("the endpoint is not of https")
	case u.User != nil, u.Fragment != "":
		return nil, errors.New("the endpoint has a user or a fragment")
	case u.String() != text:
		return nil, errors.New("the endpoint is not in normal form")
	case !goodHost(u), !goodPort(u):
		return nil, errors.New("the endpoint has no host and port that could be connected to")
	}
	return u, nil
}

// goodHost takes a name or an address. What ends in a number is an address to
// browsers, and to some resolvers, in a dozen spellings; here in one.
func goodHost(u *url.URL) bool {
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == "" && ip.String() == host
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return len(host) <= 253 && hostName.MatchString(host) && (last[0] < '0' || last[0] > '9')
}

func goodPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}
