package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const likeSQLite = `write it like "sqlite:rouse.db"`

// storeKinds are the schemes of store.url. What stands there can hold a password,
// anywhere if it is written wrongly: nothing behind the scheme is ever repeated.
var storeKinds = []struct {
	scheme, mode string
	tls          bool
	form         string
}{
	{"redis", Standalone, false, "redis://host:6379/0"},
	{"rediss", Standalone, true, "rediss://host:6379/0"},
	{"redis+cluster", Cluster, false, "redis+cluster://host1:6379,host2:6379"},
	{"rediss+cluster", Cluster, true, "rediss+cluster://host1:6379,host2:6379"},
	{"redis+sentinel", Sentinel, false, "redis+sentinel://host1:26379,host2:26379/name"},
	{"rediss+sentinel", Sentinel, true, "rediss+sentinel://host1:26379,host2:26379/name"},
}

// scheme as RFC 3986 §3.1 has it.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// address takes the address of a store apart. What is wrong is said as cause and
// hint; both are empty if nothing is.
func (s *Store) address() (cause, hint string) {
	text := s.URL.Reveal()
	if text == "" {
		return "is empty", likeSQLite
	}
	kind, rest, ok := strings.Cut(text, ":")
	if !ok || !scheme.MatchString(kind) {
		return "has no kind of store before a colon", likeSQLite
	}
	if kind == "sqlite" {
		return s.file(rest)
	}
	names := []string{"sqlite"}
	for _, k := range storeKinds {
		if k.scheme != kind {
			names = append(names, k.scheme)
			continue
		}
		s.Redis = &Redis{Mode: k.mode, TLS: k.tls}
		if cause, hint = s.Redis.parse(rest); cause != "" && hint == "" {
			hint = fmt.Sprintf("write it like %q", k.form)
		}
		s.Name = kind + "://" + strings.Join(s.Redis.Addrs, ",") + s.Redis.path()
		return cause, hint
	}
	if near := nearest(kind, names); near != "" {
		return fmt.Sprintf("there is no store %q", kind), fmt.Sprintf("did you mean %q?", near+":")
	}
	return fmt.Sprintf("there is no store %q", kind), "known here: " + strings.Join(names, ", ")
}

// file is what stands behind sqlite:.
func (s *Store) file(path string) (cause, hint string) {
	switch {
	case path == "":
		return "names no file", likeSQLite
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		return "takes no host", "sqlite:FILE, with an absolute path sqlite:/var/lib/rouse/rouse.db"
	case path == ":memory:":
		return "a store in memory would lose registrations", likeSQLite
	case strings.ContainsAny(path, "?#\x00"):
		return "takes no parameters", "sqlite:FILE and nothing after it"
	}
	s.Path, s.Name = path, "sqlite:"+path
	return "", ""
}

// masterName is what Sentinel takes (redis, sentinel.c: createSentinelRedisInstance).
var masterName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// parse takes what stands behind the scheme:
// //[user:password@]host[:port][,host[:port]…][/master][/database].
func (r *Redis) parse(rest string) (cause, hint string) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return "is not the address of a Redis", ""
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if cause, hint = r.user(rest[:at]); cause != "" {
			return cause, hint
		}
		rest = rest[at+1:]
	}
	if strings.ContainsAny(rest, "?#") {
		return "takes no parameters", "what else there is to say of a store are settings of [store]: password_file, ca_file, durability"
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if cause, hint = r.hosts(hosts); cause != "" {
		return cause, hint
	}
	if r.Mode == Sentinel {
		r.Master, path, _ = strings.Cut(path, "/")
		if !masterName.MatchString(r.Master) {
			return "does not say what the sentinels call their master", ""
		}
	}
	switch n, err := strconv.ParseUint(path, 10, 31); {
	case path == "":
	case r.Mode == Cluster:
		return "a cluster has no numbered databases", ""
	case err != nil:
		return "the database is not a number", ""
	default:
		r.DB = int(n)
	}
	return "", ""
}

func (r *Redis) user(info string) (cause, hint string) {
	name, password, _ := strings.Cut(info, ":")
	var err, err2 error
	r.Username, err = url.PathUnescape(name)
	password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return "user or password has a % that encodes nothing", "write %25 for it, or keep the password in store.password_file"
	}
	r.Password = NewSecret(password)
	return "", ""
}

func (r *Redis) hosts(list string) (cause, hint string) {
	for i, h := range strings.Split(list, ",") {
		which := ""
		if i > 0 || strings.Contains(list, ",") {
			which = fmt.Sprintf(" (address %d)", i+1)
		}
		address, cause := r.host(h)
		if cause != "" {
			return cause + which, ""
		}
		if slices.Contains(r.Addrs, address) {
			return "names an address twice" + which, "take one of them out"
		}
		r.Addrs = append(r.Addrs, address)
	}
	if r.Mode == Standalone && len(r.Addrs) > 1 {
		return "names several addresses", "a Redis Cluster is redis+cluster://…, sentinels are redis+sentinel://…"
	}
	return "", ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// host gives host:port of host[:port].
func (r *Redis) host(s string) (address, cause string) {
	host, port, found := strings.Cut(s, ":")
	if strings.HasPrefix(s, "[") {
		host, port, found = strings.Cut(s[1:], "]")
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() || !found || port != "" && port[0] != ':' {
			return "", "what stands in brackets is not an IPv6 address"
		}
		host, found = "["+host+"]", port != ""
		port = strings.TrimPrefix(port, ":")
	} else if strings.Contains(port, ":") {
		return "", "has too many colons: an IPv6 address stands in brackets, a password before an @"
	}
	if host == "" {
		return "", "names no host"
	}
	if host[0] != '[' && !hostName.MatchString(host) {
		return "", "has something in a host that is not part of a name"
	}
	if !found {
		if port = "6379"; r.Mode == Sentinel {
			port = "26379"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "has a port that is not a number from 1 to 65535"
	}
	return host + ":" + port, ""
}

// path is master and database, as in the address.
func (r *Redis) path() string {
	p := ""
	if r.Master != "" {
		p = "/" + r.Master
	}
	if r.Mode != Cluster && r.DB != 0 {
		p += fmt.Sprintf("/%d", r.DB)
	}
	return p
}
