package config

import (
	"fmt"
	"strings"
)

const useSQLite = `use url = "sqlite:rouse.db"`

// store reads the address of the store. Addresses can hold a password: no error
// repeats one.
func (v *validator) store(s *Store) {
	const key = "store.url"
	v.required("store.key_file", s.KeyFile, "the file for the key of the nodes that rouse issues")
	if !v.required(key, s.URL, useSQLite) {
		return
	}
	scheme, rest, ok := strings.Cut(s.URL, ":")
	if !ok {
		v.fail(key, "has no kind of store before a colon", useSQLite)
		return
	}
	switch scheme {
	case "sqlite":
		s.Path = v.sqlite(key, rest)
	case "redis", "rediss", "redis+cluster":
		if !redisAddress(rest, scheme == "redis+cluster") {
			v.fail(key, "is not the address of a Redis", fmt.Sprintf(`write it like "%s"; %s`, redisForm(scheme), "this build of rouse keeps state in sqlite only, though"))
			return
		}
		v.fail(key, "this build of rouse keeps state in sqlite only", useSQLite)
	default:
		hint := useSQLite
		if near := nearest(scheme, []string{"sqlite", "redis", "rediss", "redis+cluster"}); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near+":")
		}
		v.fail(key, fmt.Sprintf("there is no store %q", scheme), hint)
	}
}

// sqlite gives the path of the file in sqlite:FILE.
func (v *validator) sqlite(key, file string) string {
	switch {
	case file == "":
		v.fail(key, "names no file", useSQLite)
	case strings.HasPrefix(file, "//") && !strings.HasPrefix(file, "///"):
		v.fail(key, "takes no host", "sqlite:FILE, with an absolute path sqlite:/var/lib/rouse/rouse.db")
	case file == ":memory:":
		v.fail(key, "a store in memory would lose registrations", useSQLite)
	case strings.ContainsAny(file, "?#\x00"):
		v.fail(key, "takes no parameters", "sqlite:FILE and nothing after it")
	default:
		return v.beside(file)
	}
	return ""
}

func redisForm(scheme string) string {
	if scheme == "redis+cluster" {
		return "redis+cluster://host1:6379,host2:6379"
	}
	return scheme + "://host:6379/0"
}

// redisAddress reports whether it is //[user:password@]host:port[,host:port…][/number].
func redisAddress(rest string, several bool) bool {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return false
	}
	hosts, number, _ := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "/")
	if number != "" && (several || strings.Trim(number, "0123456789") != "") {
		return false
	}
	list := strings.Split(hosts, ",")
	for _, h := range list {
		if host, port, _ := strings.Cut(h, ":"); host == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return several || len(list) == 1
}
