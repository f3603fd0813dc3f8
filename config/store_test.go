package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestStoreAddresses(t *testing.T) {
	pw := NewSecret("hunter2")
	one := func(addr string) *Redis { return &Redis{Mode: Standalone, Addrs: []string{addr}} }
	for _, tt := range []struct {
		url, name, path string
		redis           *Redis
	}{
		{"sqlite:rouse.db", "sqlite:rouse.db", "rouse.db", nil},
		{"sqlite:/var/lib/rouse/rouse.db", "sqlite:/var/lib/rouse/rouse.db", "/var/lib/rouse/rouse.db", nil},
		{"sqlite:///rouse.db", "sqlite:///rouse.db", "///rouse.db", nil},
		{"redis://host", "redis://host:6379", "", one("host:6379")},
		{"redis://host:7000/", "redis://host:7000", "", one("host:7000")},
		{"redis://host/0", "redis://host:6379", "", one("host:6379")},
		{"redis://[::1]", "redis://[::1]:6379", "", one("[::1]:6379")},
		{"redis://[::1]:7000/15", "redis://[::1]:7000/15", "", &Redis{Mode: Standalone, Addrs: []string{"[::1]:7000"}, DB: 15}},
		{"redis://:hunter2@host_1", "redis://host_1:6379", "", &Redis{Mode: Standalone, Addrs: []string{"host_1:6379"}, Password: pw}},
		{"redis://:@host", "redis://host:6379", "", one("host:6379")},
		{"rediss://rouse:hunter2@a.example:1/3", "rediss://a.example:1/3", "",
			&Redis{Mode: Standalone, Addrs: []string{"a.example:1"}, DB: 3, Username: "rouse", Password: pw, TLS: true}},
		// Decoded, and what should have been encoded is taken as it is.
		{"redis://r%40x:p%3Aw%2F%25@host", "redis://host:6379", "",
			&Redis{Mode: Standalone, Addrs: []string{"host:6379"}, Username: "r@x", Password: NewSecret("p:w/%")}},
		{"redis://r:p@s/w?#:+@host/1", "redis://host:6379/1", "",
			&Redis{Mode: Standalone, Addrs: []string{"host:6379"}, DB: 1, Username: "r", Password: NewSecret("p@s/w?#:+")}},
		{"redis+cluster://h1:6379,h2,[fe80::1]:6380", "redis+cluster://h1:6379,h2:6379,[fe80::1]:6380", "",
			&Redis{Mode: Cluster, Addrs: []string{"h1:6379", "h2:6379", "[fe80::1]:6380"}}},
		{"rediss+cluster://u:hunter2@h1/", "rediss+cluster://h1:6379", "",
			&Redis{Mode: Cluster, Addrs: []string{"h1:6379"}, Username: "u", Password: pw, TLS: true}},
		{"redis+sentinel://s1,s2:5000/mymaster", "redis+sentinel://s1:26379,s2:5000/mymaster", "",
			&Redis{Mode: Sentinel, Addrs: []string{"s1:26379", "s2:5000"}, Master: "mymaster"}},
		{"rediss+sentinel://:hunter2@[::1]/my-master.1/2", "rediss+sentinel://[::1]:26379/my-master.1/2", "",
			&Redis{Mode: Sentinel, Addrs: []string{"[::1]:26379"}, Master: "my-master.1", DB: 2, Password: pw, TLS: true}},
	} {
		s, err := StoreAt(tt.url, "", "")
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		want := &Store{URL: NewSecret(tt.url), Name: tt.name, Path: tt.path, Redis: tt.redis, Durability: Safe, Record: 200}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("%s\n got %+v %+v\nwant %+v %+v", tt.url, s, s.Redis, want, want.Redis)
		}
	}
}

func TestStoreAddressesThatAreNone(t *testing.T) {
	for url, want := range map[string]string{
		"":                               `is empty; write it like "sqlite:rouse.db"`,
		"hunter2":                        `has no kind of store before a colon; write it like "sqlite:rouse.db"`,
		"user hunter2:x":                 `has no kind of store before a colon; write it like "sqlite:rouse.db"`,
		"://hunter2@host":                `has no kind of store before a colon; write it like "sqlite:rouse.db"`,
		"redi+sentinel://x":              `there is no store "redi+sentinel"; did you mean "redis+sentinel:"?`,
		"Redis://host":                   `there is no store "Redis"; did you mean "redis:"?`,
		"redis:hunter2@host":             `is not the address of a Redis; write it like "redis://host:6379/0"`,
		"redis://":                       `names no host; write it like "redis://host:6379/0"`,
		"rediss://:hunter2@:6379":        `names no host; write it like "rediss://host:6379/0"`,
		"redis://:hunter2@host?db=1":     `takes no parameters; what else there is to say of a store are settings of [store]: password_file, ca_file, durability`,
		"redis://user:hunter2":           `has a port that is not a number from 1 to 65535; write it like "redis://host:6379/0"`,
		"redis://user:hunter2:host:6379": `has too many colons: an IPv6 address stands in brackets, a password before an @; write it like "redis://host:6379/0"`,
		"redis://fe80::1":                `has too many colons: an IPv6 address stands in brackets, a password before an @; write it like "redis://host:6379/0"`,
		"redis://[10.0.0.1]:6379":        `what stands in brackets is not an IPv6 address; write it like "redis://host:6379/0"`,
		"redis://[::1":                   `what stands in brackets is not an IPv6 address; write it like "redis://host:6379/0"`,
		"redis://[::1]6379":              `what stands in brackets is not an IPv6 address; write it like "redis://host:6379/0"`,
		"redis://[::1]:":                 `has a port that is not a number from 1 to 65535; write it like "redis://host:6379/0"`,
		"redis://host:0":                 `has a port that is not a number from 1 to 65535; write it like "redis://host:6379/0"`,
		"redis://ho st":                  `has something in a host that is not part of a name; write it like "redis://host:6379/0"`,
		"redis://host/hunter2":           `the database is not a number; write it like "redis://host:6379/0"`,
		"redis://host/0/hunter2":         `the database is not a number; write it like "redis://host:6379/0"`,
		"redis://host/99999999999":       `the database is not a number; write it like "redis://host:6379/0"`,
		"redis://h1,h2":                  `names several addresses; a Redis Cluster is redis+cluster://…, sentinels are redis+sentinel://…`,
		"redis+cluster://h1,,h2":         `names no host (address 2); write it like "redis+cluster://host1:6379,host2:6379"`,
		"redis+cluster://h1,h2:x":        `has a port that is not a number from 1 to 65535 (address 2); write it like "redis+cluster://host1:6379,host2:6379"`,
		"redis+cluster://h1,h1:6379":     `names an address twice (address 2); take one of them out`,
		"rediss+cluster://:hunter2@h1/0": `a cluster has no numbered databases; write it like "rediss+cluster://host1:6379,host2:6379"`,
		"redis+sentinel://s1":            `does not say what the sentinels call their master; write it like "redis+sentinel://host1:26379,host2:26379/name"`,
		"redis+sentinel://s1/my master":  `does not say what the sentinels call their master; write it like "redis+sentinel://host1:26379,host2:26379/name"`,
		"redis+sentinel://s1/m/hunter2":  `the database is not a number; write it like "redis+sentinel://host1:26379,host2:26379/name"`,
		"redis://user:hunter2%@host":     `user or password has a % that encodes nothing; write %25 for it, or keep the password in store.password_file`,
		"redis://user%zz:hunter2@host":   `user or password has a % that encodes nothing; write %25 for it, or keep the password in store.password_file`,
		"redis://user@host":              `names a user and no password; put it into a file, mode 0600, and name that in store.password_file`,
		"sqlite::memory:":                `a store in memory would lose registrations; write it like "sqlite:rouse.db"`,
		"sqlite:rouse.db\x00":            `takes no parameters; sqlite:FILE and nothing after it`,
	} {
		_, err := StoreAt(url, "", "")
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v", url, err)
			continue
		}
		if got := e.Cause + "; " + e.Hint; got != want {
			t.Errorf("%q\n got %s\nwant %s", url, got, want)
		}
		if strings.Contains(e.Cause+e.Hint, "hunter2") {
			t.Errorf("%q: the password is in the error", url)
		}
	}
}

func TestStoreWithFiles(t *testing.T) {
	const redis = "[store]\nurl = \"rediss://rouse@host\"\npassword_file = \"p\"\nca_file = \"ca.pem\"\n"
	const inURL = "[store]\nurl = \"redis://:hunter2@host\"\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		modes map[string]fs.FileMode
		want  string
	}{
		{"readable by others", map[string]string{"rouse.toml": redis, "p": "hunter2", "ca.pem": "x"}, map[string]fs.FileMode{"p": 0o644},
			"rouse: DIR/rouse.toml:3:1: store.password_file: readable by everyone (mode 0644)\nhint: chmod 0600 DIR/p\n" +
				"rouse: DIR/rouse.toml:4:1: store.ca_file: DIR/ca.pem: holds no certificate\nhint: certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE\n"},
		{"missing", map[string]string{"rouse.toml": redis}, nil,
			"rouse: DIR/rouse.toml:3:1: store.password_file: DIR/p: no such file or directory\n" +
				"rouse: DIR/rouse.toml:4:1: store.ca_file: DIR/ca.pem: no such file or directory\n"},
		{"in an open configuration", map[string]string{"rouse.toml": inURL}, map[string]fs.FileMode{"rouse.toml": 0o640},
			"rouse: DIR/rouse.toml:2:1: store.url: has a password, and the configuration is readable by its group (mode 0640)\n" +
				"hint: chmod 0600 DIR/rouse.toml, or move the password into a file of its own: password_file\n"},
		{"in a closed configuration", map[string]string{"rouse.toml": inURL}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dir(t, tt.files, tt.modes)
			var out strings.Builder
			if _, err := Load(filepath.Join(d, "rouse.toml")); err != nil {
				Report(&out, "rouse", err)
			}
			if got := strings.ReplaceAll(out.String(), d, "DIR"); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
	d := dir(t, map[string]string{"rouse.toml": strings.Replace(redis, "ca_file = \"ca.pem\"\n", "record = 0\ndurability = \"fast\"\n", 1), "p": "hunter2\n"}, nil)
	c, err := Load(filepath.Join(d, "rouse.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Store; s.Redis.Password.Reveal() != "hunter2" || s.Redis.Username != "rouse" || s.Record != 0 || s.Durability != Fast || s.Path != "" {
		t.Errorf("got %+v %+v", s, s.Redis)
	}
	again, err := Load(filepath.Join(d, "rouse.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if keys := NeedRestart(c, again); len(keys) > 0 {
		t.Errorf("differs from itself: %v", keys)
	}
	again.Store.URL, again.Store.Record = NewSecret("rediss://rouse:other@host"), 1
	if keys := NeedRestart(c, again); !reflect.DeepEqual(keys, []string{"store.record", "store.url"}) {
		t.Errorf("another password and record: %v", keys)
	}
}

// TestStoreAtFiles: an address on a command line has the same care.
func TestStoreAtFiles(t *testing.T) {
	d := dir(t, map[string]string{"p": "hunter2\n", "open": "hunter2"}, map[string]fs.FileMode{"open": 0o644})
	s, err := StoreAt("redis://host", filepath.Join(d, "p"), "")
	if err != nil || s.Redis.Password.Reveal() != "hunter2" {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := StoreAt("redis://:x@host", filepath.Join(d, "p"), ""); err == nil {
		t.Error("two passwords are taken")
	}
	var several Errors
	if _, err := StoreAt("redis://host", filepath.Join(d, "open"), ""); !errors.As(err, &several) || !strings.Contains(err.Error(), "readable by everyone") {
		t.Errorf("got %v", err)
	}
}

// FuzzStoreAddress: an address that is taken says where to go, and comes out of
// its own name again; no error repeats what stands behind the kind of store.
func FuzzStoreAddress(f *testing.F) {
	for _, s := range []string{"sqlite:a", "redis://u:hunter2@[::1]:1/2", "rediss+cluster://a,b:2", "redis+sentinel://a/m/1", "hunter2@x:1", "redis://hunter2:hunter2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		s, err := StoreAt(url, "", "")
		var e *Error
		if errors.As(err, &e) {
			kind, rest, _ := strings.Cut(url, ":")
			if said := e.Cause + e.Hint; e.Cause == "" || e.Hint == "" || len(rest) > 40 && strings.Contains(said, rest) || strings.Contains(kind, "@") && strings.Contains(said, kind) {
				t.Errorf("%q: %q %q", url, e.Cause, e.Hint)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", url, err)
		}
		if s.Redis == nil {
			return
		}
		again, err := StoreAt(s.Name, "", "")
		if err != nil {
			t.Fatalf("%q: its name %q: %v", url, s.Name, err)
		}
		plain := *s.Redis
		plain.Username, plain.Password = "", Secret{}
		if !reflect.DeepEqual(*again.Redis, plain) || again.Name != s.Name {
			t.Errorf("%q: %+v, its name %q: %+v", url, plain, s.Name, *again.Redis)
		}
	})
}
