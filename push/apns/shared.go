package apns

import (
	"net/url"
	"slices"

	"rouse/push/h2"
)

// shared is a connection that all apps of one key have together: Apple wants one
// for each key, and takes many for an attack.
type shared struct {
	*h2.Transport
	host  string
	cfg   h2.Config
	users int
}

// transport gives the key's connection to a host, and what gives it back: the last
// to do so ends it.
func (k *Key) transport(host string, cfg h2.Config) (*h2.Transport, func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var s *shared
	for _, there := range k.shared {
		if there.host == host && sameWay(there.cfg, cfg) {
			s = there
		}
	}
	if s == nil {
		s = &shared{Transport: h2.New(cfg), host: host, cfg: cfg}
		k.shared = append(k.shared, s)
	}
	s.users++
	return s.Transport, func() {
		k.mu.Lock()
		s.users--
		last := s.users == 0
		if last {
			k.shared = slices.DeleteFunc(k.shared, func(o *shared) bool { return o == s })
		}
		k.mu.Unlock()
		if last {
			s.Close()
		}
	}
}

// sameWay reports whether two apps reach a host by the same way, and believe it
// for the same reason.
func sameWay(a, b h2.Config) bool {
	text := func(u *url.URL) string {
		if u == nil {
			return ""
		}
		return u.String()
	}
	return text(a.Proxy) == text(b.Proxy) && (a.Roots == nil) == (b.Roots == nil) && (a.Roots == nil || a.Roots.Equal(b.Roots))
}
