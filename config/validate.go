package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// maxCoalesce is the longest window in which wakes are held together.
const maxCoalesce = time.Hour

// maxGrace is the longest that a wake may wait for what is read elsewhere.
const maxGrace = 10 * time.Minute

// How often a device may be woken again that does not come back, after how long at
// most, and for how long. Providers keep a wake for 28 days.
const (
	maxRepeats   = 16
	maxRepeat    = 7 * 24 * time.Hour
	maxRepeatFor = 30 * 24 * time.Hour
)

// validator checks what one value alone does not show, and puts values into
// their normal form. Keys that could not be read are left alone: they have been
// reported.
type validator struct {
	*source
	c    *Config
	bad  map[string]bool
	errs Errors
}

func validate(c *Config, read Errors) Errors {
	v := &validator{source: c.source, c: c, bad: make(map[string]bool)}
	for _, e := range read {
		v.bad[e.Key] = true
	}
	if c.Component != nil && !v.bad["component"] {
		v.component(c.Component)
	}
	if !v.bad["store"] {
		v.store(&c.Store)
	}
	v.apps()
	v.families()
	v.push(&c.Push)
	v.directory(c.Directory)
	v.notices()
	v.relay(c.Relay)
	v.rules()
	if c.Web.Listen != "" {
		v.hostPort("web.listen", c.Web.Listen, true)
	}
	v.unifiedPush()
	return v.errs
}

// unifiedPush wants what carries a push: a listener, a link, and users.
func (v *validator) unifiedPush() {
	const key = "web.unifiedpush"
	u := &v.c.Web.UnifiedPush
	if *u == "" {
		return
	}
	v.endpoint(key, *u)
	*u = strings.TrimRight(*u, "/")
	switch {
	case v.c.Web.Listen == "":
		v.fail(key, "there is no listener for it", `web.listen = "127.0.0.1:8470", and a proxy in front of it`)
	case v.c.Component == nil || len(v.c.Component.Hosts) == 0:
		v.fail(key, "there is nobody to offer it to", "name the domains of the users in component.hosts")
	}
}

// fail reports the first thing that is wrong with a key.
func (v *validator) fail(key, cause, hint string) {
	if !v.bad[key] {
		v.bad[key] = true
		v.errs = append(v.errs, v.error(key, cause, hint))
	}
}

// required reports whether a value is there.
func (v *validator) required(key, value, hint string) bool {
	switch {
	case value != "":
		return true
	case v.has(key):
		v.fail(key, "is empty", hint)
	default:
		v.fail(key, "is missing", hint)
	}
	return false
}

func (v *validator) store(s *Store) {
	v.required("store.key_file", s.KeyFile, "the file for the key of the nodes that rouse issues")
	if s.Record < 0 || s.Record > maxRecord {
		v.fail("store.record", fmt.Sprintf("%d is out of range", s.Record), fmt.Sprintf("from 0 (none) to %d", maxRecord))
	}
	if v.bad["store.url"] {
		return
	}
	if cause, hint := s.address(); cause != "" {
		v.fail("store.url", cause, hint)
		return
	}
	if s.Path != "" {
		s.Path = v.beside(s.Path)
		s.Name = "sqlite:" + s.Path
	}
	for _, m := range s.misfits() {
		v.fail(m.key, m.cause, m.hint)
	}
}

func (v *validator) component(c *Component) {
	const hint = `the domain that the server knows this component by: jid = "push.example.org"`
	if v.required("component.jid", c.JID, hint) {
		c.JID = v.domain("component.jid", c.JID)
	}
	v.addresses(c.Address)
	v.hosts(c.Hosts)
	v.contact(c.Contact)
	v.admins(c.Admins)
	switch secret, file := v.has("component.secret"), v.has("component.secret_file"); {
	case secret && file:
		v.fail("component.secret_file", "there is a secret as well", "keep one of secret and secret_file")
	case secret && c.Secret.IsZero():
		v.fail("component.secret", "is empty", "the server's configuration has the same secret for this component")
	case file:
		v.required("component.secret_file", c.SecretFile, "name the file that holds the secret")
	case !secret:
		v.fail("component.secret_file", "is missing", "the server and rouse share a secret: name the file that holds it")
	}
}

func (v *validator) addresses(list []string) {
	if len(list) == 0 {
		v.fail("component.address", "is empty", "where the server listens for components: \"127.0.0.1:5347\"")
	}
	for i, a := range list {
		key := v.item("component.address", i)
		v.hostPort(key, a, false)
		if slices.Contains(list[:i], a) {
			v.fail(key, fmt.Sprintf("%q is there twice", a), "take one of them out")
		}
	}
}

func (v *validator) hosts(list []string) {
	for i, h := range list {
		key := v.item("component.hosts", i)
		list[i] = v.domain(key, h)
		if slices.Contains(list[:i], list[i]) {
			v.fail(key, fmt.Sprintf("%q is there twice", h), "take one of them out")
		}
	}
}

func (v *validator) contact(list []string) {
	for i, uri := range list {
		if u, err := url.Parse(uri); err != nil || !slices.Contains([]string{"mailto", "xmpp", "https"}, u.Scheme) {
			v.fail(v.item("component.contact", i), fmt.Sprintf("%q is not a URI of mailto:, xmpp: or https:", uri), `like "mailto:admin@example.org"`)
		}
	}
}

func (v *validator) admins(list []string) {
	for i, text := range list {
		j, err := jid.Parse(text)
		if err != nil || j.Localpart() == "" || j.Resourcepart() != "" {
			v.fail(v.item("component.admins", i), fmt.Sprintf("%q is not the address of a person", text), `like "admin@example.org"`)
			continue
		}
		list[i] = j.String()
	}
}

// item is the key of a list's element, or of the list when it is written as one string.
func (v *validator) item(key string, i int) string {
	if at := element(key, i); v.has(at) {
		return at
	}
	return key
}

// domain gives the normal form of a domain (RFC 7622 §3.2).
func (v *validator) domain(key, s string) string {
	j, err := jid.Parse(s)
	switch {
	case err == nil && (j.Localpart() != "" || j.Resourcepart() != ""):
		v.fail(key, fmt.Sprintf("%q is not a domain", s), fmt.Sprintf("without user and resource: %q", j.Domainpart()))
	case err != nil, slices.Contains(strings.Split(j.Domainpart(), "."), ""):
		v.fail(key, fmt.Sprintf("%q is not a domain", s), `a domain is like "example.org"`)
	default:
		return j.Domainpart()
	}
	return s
}

// hostPort checks an address. To listen, the host may be empty and the port 0.
func (v *validator) hostPort(key, s string, listen bool) {
	example := "5347"
	if listen {
		example = "8470"
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		v.fail(key, fmt.Sprintf("%q is not host:port", s), fmt.Sprintf("write it like %q or %q", "127.0.0.1:"+example, "[::1]:"+example))
		return
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listen {
		v.fail(key, fmt.Sprintf("%q is not a port", port), "a port is a number from 1 to 65535")
	}
	if host == "" && !listen || strings.ContainsAny(host, " /@") {
		v.fail(key, fmt.Sprintf("%q has no host to connect to", s), `write it like "127.0.0.1:5347"`)
	}
}

func (v *validator) rules() {
	r := v.c.Rules
	if r.Coalesce < 0 || r.Coalesce > maxCoalesce {
		v.fail("rules.coalesce", fmt.Sprintf("%v is out of range", r.Coalesce), `from "0s" (each stanza wakes) to "1h"`)
	}
	v.limits(r)
	if r.Grace < 0 || r.Grace > maxGrace {
		v.fail("rules.grace", fmt.Sprintf("%v is out of range", r.Grace), `from "0s" (no wake waits) to "10m"`)
	}
	if len(r.Repeat) > maxRepeats {
		v.fail("rules.repeat", fmt.Sprintf("has %d durations", len(r.Repeat)), fmt.Sprintf("%d at most: the last one goes on for ever", maxRepeats))
	}
	for i, d := range r.Repeat {
		if key := element("rules.repeat", i); !v.bad[key] && (d < time.Second || d > maxRepeat) {
			v.fail(key, fmt.Sprintf("%v is out of range", d), `from "1s" to "168h"`)
		}
	}
	if r.RepeatFor < 0 || r.RepeatFor > maxRepeatFor {
		v.fail("rules.repeat_for", fmt.Sprintf("%v is out of range", r.RepeatFor), `from "0s" to "720h"`)
	}
}

var word = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

func (v *validator) apps() {
	names := make(map[string]int)
	defaults := make(map[string]int)
	for i := range v.c.Apps {
		a, key := &v.c.Apps[i], element("app", i)
		if v.bad[key] {
			continue
		}
		if v.required(key+".name", a.Name, `a short name for logs and metrics: name = "chat-ios"`) {
			if !word.MatchString(a.Name) {
				v.fail(key+".name", fmt.Sprintf("%q is not a name", a.Name), "up to 64 of a-z, 0-9 and -")
			}
			if first, ok := names[a.Name]; ok {
				v.fail(key+".name", fmt.Sprintf("%q is taken by the app at %s", a.Name, v.c.Place(element("app", first)+".name")), "give each app its own name")
			} else {
				names[a.Name] = i
			}
		}
		if a.Default && a.Provider != "" {
			if first, ok := defaults[a.Provider]; ok {
				v.fail(key+".default", fmt.Sprintf("%s has a default at %s", a.Provider, v.c.Place(element("app", first)+".default")), "one default for each provider")
			} else {
				defaults[a.Provider] = i
			}
		}
		v.endpoint(key+".endpoint", a.Endpoint)
		v.limit(key+".rate", a.Rate)
		if v.required(key+".provider", a.Provider, `"apns", "fcm" or "webpush"`) {
			v.provider(key, a)
		}
	}
}

// ofProvider lists the keys that only one provider has.
var ofProvider = map[string][]string{
	APNs:    {"topic", "environment", "key_file", "key_id", "team_id", "certificate_file", "password_file", "voip", "other_endpoint"},
	FCM:     {"credentials_file"},
	WebPush: {"vapid_key_file", "contact", "allow_private"},
}

func (v *validator) provider(key string, a *App) {
	for provider, names := range ofProvider {
		for _, name := range names {
			if at := join(key, name); provider != a.Provider && v.has(at) {
				v.fail(at, fmt.Sprintf("does nothing for %s", a.Provider), "take it out; it is a setting of "+provider)
			}
		}
	}
	switch a.Provider {
	case APNs:
		v.apns(key, a)
	case FCM:
		a.Environment = ""
		v.required(key+".credentials_file", a.CredentialsFile, "the service account's key as downloaded from the Firebase console (JSON)")
	case WebPush:
		a.Environment = ""
		v.webPush(key, a)
	}
}

func (v *validator) webPush(key string, a *App) {
	a.Profile = ""
	if v.has(key + ".profile") {
		v.fail(key+".profile", "does nothing for webpush", "take it out: these apps get account and count")
	}
	if a.Endpoint != "" {
		v.fail(key+".endpoint", "does nothing for webpush", "take it out: each subscription has an endpoint of its own")
	}
	v.required(key+".vapid_key_file", a.VAPIDKeyFile, `the private key that apps subscribe for: vapid_key_file = "vapid.pem"`)
	const hint = `like "mailto:push@example.org", or an https: address`
	if !v.required(key+".contact", a.Contact, "whom push services can write to, "+hint) {
		return
	}
	switch u, err := url.Parse(a.Contact); {
	case err != nil, u.Scheme != "mailto" && u.Scheme != "https":
		v.fail(key+".contact", fmt.Sprintf("%q is not an address of mailto: or https:", a.Contact), hint)
	case !public(u):
		v.fail(key+".contact", fmt.Sprintf("%q is not in a domain of the public Internet", a.Contact), "Apple refuses tokens with such a contact (403 BadJwtToken); "+hint)
	}
}

// public reports whether an address is in a domain that others could look up
// (RFC 6762 §3, RFC 6761 §6, RFC 9476).
func public(u *url.URL) bool {
	host := u.Hostname()
	if u.Scheme == "mailto" {
		user, domain, _ := strings.Cut(u.Opaque, "@")
		if host = domain; user == "" || strings.ContainsAny(u.Opaque, " ,") {
			return false
		}
	}
	_, err := netip.ParseAddr(host)
	labels := strings.Split(host, ".")
	return err != nil && len(labels) > 1 && !slices.Contains(labels, "") &&
		!slices.Contains([]string{"local", "localhost", "localdomain", "invalid", "internal", "test", "alt"}, labels[len(labels)-1])
}

var tenCharacters = regexp.MustCompile(`^[A-Z0-9]{10}$`)

func (v *validator) apns(key string, a *App) {
	v.required(key+".topic", a.Topic, "the bundle ID of the app")
	if a.OtherEndpoint != "none" {
		v.endpoint(key+".other_endpoint", a.OtherEndpoint)
	}
	token := v.has(key+".key_file") || v.has(key+".key_id") || v.has(key+".team_id")
	switch cert := v.has(key + ".certificate_file"); {
	case token && cert:
		v.fail(key+".certificate_file", "there is a signing key as well", "keep key_file, key_id and team_id, or certificate_file")
		return
	case cert:
		v.required(key+".certificate_file", a.CertificateFile, "PEM or PKCS#12")
		return
	case !token:
		v.fail(key+".key_file", "is missing", "key_file with key_id and team_id, or certificate_file")
		return
	}
	if v.has(key + ".password_file") {
		v.fail(key+".password_file", "does nothing without certificate_file", "take it out")
	}
	v.required(key+".key_file", a.KeyFile, "the signing key that Apple gave (AuthKey_….p8)")
	if v.required(key+".key_id", a.KeyID, "the ID of the signing key, on Apple's Keys page") && !tenCharacters.MatchString(a.KeyID) {
		v.fail(key+".key_id", fmt.Sprintf("%q is not a key ID", a.KeyID), "10 characters A-Z, 0-9, on Apple's Keys page")
	}
	if v.required(key+".team_id", a.TeamID, "on Apple's Membership page") && !tenCharacters.MatchString(a.TeamID) {
		v.fail(key+".team_id", fmt.Sprintf("%q is not a team ID", a.TeamID), "10 characters A-Z, 0-9, on Apple's Membership page")
	}
}

// endpoint checks a base URL. Credentials and device tokens go there, so without
// TLS it has to be this machine.
func (v *validator) endpoint(key, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		v.fail(key, "is not the base of a web address", `write it like "https://proxy.example.org"`)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		v.fail(key, "has more than a base address", "without user, query and fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		v.fail(key, "without TLS tokens and credentials could be read on the way", "https, or http to 127.0.0.1, [::1] or localhost")
	}
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
