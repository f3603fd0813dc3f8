package config

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Push is what holds for the way to every provider.
type Push struct {
	Proxy             string `toml:"proxy"`
	ProxyUser         string `toml:"proxy_user"`
	ProxyPasswordFile string `toml:"proxy_password_file,path"`
	ProxyPassword     Secret `toml:"-"` // what ProxyPasswordFile holds
}

// ProxyURL is the proxy with user and password; nil: there is none.
func (p *Push) ProxyURL() *url.URL {
	u, err := url.Parse(p.Proxy)
	if p.Proxy == "" || err != nil {
		return nil
	}
	if p.ProxyUser != "" {
		u.User = url.UserPassword(p.ProxyUser, p.ProxyPassword.Reveal())
	}
	return u
}

// Relay is what third parties' push services are told.
type Relay struct {
	Sender bool   `toml:"sender"`
	Body   string `toml:"body" default:"New Message!"`
}

// maxRelayBody is more than any notification shows.
const maxRelayBody = 256

func (v *validator) relay(r Relay) {
	if v.bad["relay.body"] {
		return
	}
	switch {
	case len(r.Body) > maxRelayBody:
		v.fail("relay.body", "is too long", fmt.Sprintf("at most %d bytes", maxRelayBody))
	case strings.ContainsFunc(r.Body, func(c rune) bool { return unicode.IsControl(c) || c == utf8.RuneError || c > 0xfffd && c < 0x10000 }):
		v.fail("relay.body", "has characters that no notification shows", "one line of text")
	}
}

func (v *validator) push(p *Push) {
	if v.bad["push"] {
		return
	}
	if p.Proxy != "" && !v.bad["push.proxy"] {
		v.proxy(p.Proxy)
	}
	const alone = "does nothing without push.proxy"
	switch {
	case p.ProxyUser != "" && p.Proxy == "":
		v.fail("push.proxy_user", alone, "take it out, or name the proxy")
	case p.ProxyUser != "" && p.ProxyPasswordFile == "":
		v.fail("push.proxy_user", "has no password", "put it into a file, mode 0600, and name that in push.proxy_password_file")
	}
	switch {
	case p.ProxyPasswordFile != "" && p.Proxy == "":
		v.fail("push.proxy_password_file", alone, "take it out, or name the proxy")
	case p.ProxyPasswordFile != "" && p.ProxyUser == "":
		v.fail("push.proxy_password_file", "is of no user", "name the user in push.proxy_user")
	}
}

// maxLimit is more than any of the limits is good for.
const maxLimit = 1_000_000

func (v *validator) limits(r Rules) {
	for key, n := range map[string]int{"silent_per_hour": r.Silents, "calls_per_minute": r.Calls, "sender_rate": r.SenderRate, "sender_burst": r.SenderBurst,
		"devices_per_account": r.Devices, "registrations_per_hour": r.Registrations, "new_devices_per_hour": r.NewDevices} {
		v.limit("rules."+key, n)
	}
	if r.SenderRate > 0 && r.SenderBurst == 0 && !v.bad["rules.sender_burst"] {
		v.fail("rules.sender_burst", "0 would refuse every publish", "at least 1; sender_rate = 0 is no limit at all")
	}
}

func (v *validator) limit(key string, n int) {
	if n < 0 || n > maxLimit {
		v.fail(key, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("from 0 (no limit) to %d", maxLimit))
	}
}

func (v *validator) proxy(s string) {
	const example = `write it like "http://proxy.example.org:3128"`
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "":
		v.fail("push.proxy", "is not the address of a proxy", example)
	case u.Scheme != "http":
		v.fail("push.proxy", fmt.Sprintf("a proxy of %q is not one that rouse can use", u.Scheme+":"), "an HTTP proxy that allows CONNECT: "+example)
	case u.User != nil:
		v.fail("push.proxy", "has a user in it", "name the user in push.proxy_user and the file of the password in push.proxy_password_file")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		v.fail("push.proxy", "has more than a host and a port", example)
	}
}

func (f *fileChecker) push(p *Push) {
	if p.ProxyPasswordFile != "" {
		p.ProxyPassword = f.secret("push.proxy_password_file", p.ProxyPasswordFile)
	}
}
