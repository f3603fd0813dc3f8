package config

import (
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// dir writes files and gives the directory; a mode of 0 means 0600.
func dir(t *testing.T, files map[string]string, modes map[string]fs.FileMode) string {
	t.Helper()
	d := t.TempDir()
	for name, text := range files {
		path := filepath.Join(d, name)
		mode := modes[name]
		if mode == 0 {
			mode = 0o600
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // the umask may have had its say
			t.Fatal(err)
		}
	}
	return d
}

const whole = `
[component]
jid = "Push.Example.org"
address = ["127.0.0.1:5347", "[::1]:5347"]
secret_file = "component.secret"
hosts = ["example.org", "BÜCHER.example"]

[store]
url = "sqlite:state/rouse.db"

[[app]]
name = "chat-ios"
provider = "apns"
topic = "org.example.chat"
environment = "sandbox"
key_file = "AuthKey.p8"
key_id = "ABC123DEFG"
team_id = "TEAM45678X"
default = true
voip = true
endpoint = ""
profile = "siskin"

[[app]]
name = "chat-old"
provider = "apns"
topic = "org.example.old"
certificate_file = "old.p12"
password_file = "old.password"

[[app]]
name = "chat-android"
provider = "fcm"
credentials_file = "/service-account.json"
endpoint = "https://proxy.example.org/fcm"

[push]
proxy = "http://127.0.0.1:3128"
proxy_user = "rouse"
proxy_password_file = "proxy.password"

[relay]
sender = true
body = "Neues"

[rules]
coalesce = "90s"
silent_per_hour = 2

[log]
level = "debug"
`

// again is when a device is woken again, unless the file says otherwise.
var again = []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

func TestLoad(t *testing.T) {
	files := map[string]string{
		"rouse.toml":       strings.Replace(whole, "/service-account.json", "service-account.json", 1),
		"component.secret": "hunter2\r\n", "AuthKey.p8": "key", "old.p12": "cert", "old.password": " pass word \n", "service-account.json": "{}",
		"proxy.password": "hunter3\n",
	}
	d := dir(t, files, map[string]fs.FileMode{"rouse.toml": 0o644, "AuthKey.p8": 0o400})
	c, err := Load(filepath.Join(d, "rouse.toml"))
	if err != nil {
		t.Fatal(err)
	}
	c.source = nil
	in := func(name string) string { return filepath.Join(d, name) }
	want := &Config{
		Component: &Component{
			JID: "push.example.org", Address: []string{"127.0.0.1:5347", "[::1]:5347"},
			Secret: NewSecret("hunter2"), SecretFile: in("component.secret"), Hosts: []string{"example.org", "bücher.example"},
		},
		Store: Store{URL: NewSecret("sqlite:state/rouse.db"), Name: "sqlite:" + in("state/rouse.db"), Path: in("state/rouse.db"),
			KeyFile: in("rouse.key"), Durability: Safe, Record: 200},
		Apps: []App{
			{Name: "chat-ios", Provider: APNs, Default: true, Topic: "org.example.chat", Environment: Sandbox,
				KeyFile: in("AuthKey.p8"), KeyID: "ABC123DEFG", TeamID: "TEAM45678X", VoIP: true, Profile: "siskin"},
			{Name: "chat-old", Provider: APNs, Topic: "org.example.old", Environment: Production,
				CertificateFile: in("old.p12"), PasswordFile: in("old.password"), Password: NewSecret(" pass word "), Profile: "conversations"},
			{Name: "chat-android", Provider: FCM, Endpoint: "https://proxy.example.org/fcm", CredentialsFile: in("service-account.json"), Profile: "conversations"},
		},
		Push:  Push{Proxy: "http://127.0.0.1:3128", ProxyUser: "rouse", ProxyPasswordFile: in("proxy.password"), ProxyPassword: NewSecret("hunter3")},
		Relay: Relay{Sender: true, Body: "Neues"}, Notices: Notices{File: in("state/notices.db"), ChatAtOnce: 16},
		Rules: Rules{Coalesce: 90 * time.Second, Repeat: again, RepeatFor: 14 * 24 * time.Hour, Silents: 2, Calls: 10, SenderRate: 50, SenderBurst: 500, Devices: 128, Registrations: 120, NewDevices: 1000},
		Web:   Web{Listen: "127.0.0.1:8470"},
		Log:   Log{Level: "debug", Format: "text"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

func TestEmptyFileIsAConfiguration(t *testing.T) {
	for _, text := range []string{"", "\ufeff# nothing\r\n"} {
		c, err := Parse("/etc/rouse/rouse.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c.source = nil
		want := &Config{
			Store: Store{URL: NewSecret("sqlite:rouse.db"), Name: "sqlite:/etc/rouse/rouse.db", Path: "/etc/rouse/rouse.db",
				KeyFile: "/etc/rouse/rouse.key", Durability: Safe, Record: 200},
			Relay: Relay{Body: "New Message!"}, Notices: Notices{File: "/etc/rouse/notices.db", ChatAtOnce: 16},
			Rules: Rules{Coalesce: 5 * time.Second, Repeat: again, RepeatFor: 14 * 24 * time.Hour, Silents: 3, Calls: 10, SenderRate: 50, SenderBurst: 500, Devices: 128, Registrations: 120, NewDevices: 1000},
			Web:   Web{Listen: "127.0.0.1:8470"},
			Log:   Log{Level: "info", Format: "text"},
		}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("got\n%+v\nwant\n%+v", c, want)
		}
	}
}

func TestLoadFindsFaultsInFiles(t *testing.T) {
	const link = "[component]\njid = \"push.example.org\"\n"
	const fcm = "[[app]]\nname = \"a\"\nprovider = \"fcm\"\ncredentials_file = \"a.json\"\n"
	const webpush = "[[app]]\nname = \"a\"\nprovider = \"webpush\"\nvapid_key_file = \"vapid.pem\"\ncontact = \"mailto:a@example.org\"\n"
	tests := []struct {
		name  string
		files map[string]string
		modes map[string]fs.FileMode
		want  string // with DIR for the directory
	}{
		{"secret for everyone", map[string]string{"rouse.toml": link + `secret_file = "s"`, "s": "x"}, map[string]fs.FileMode{"s": 0o644},
			"rouse: DIR/rouse.toml:3:1: component.secret_file: readable by everyone (mode 0644)\nhint: chmod 0600 DIR/s\n"},
		{"secret for the group", map[string]string{"rouse.toml": link + `secret_file = "s"`, "s": "x"}, map[string]fs.FileMode{"s": 0o640},
			"rouse: DIR/rouse.toml:3:1: component.secret_file: readable by its group (mode 0640)\nhint: chmod 0600 DIR/s\n"},
		{"no secret file", map[string]string{"rouse.toml": link + `secret_file = "s"`}, nil,
			"rouse: DIR/rouse.toml:3:1: component.secret_file: DIR/s: no such file or directory\n"},
		{"a directory", map[string]string{"rouse.toml": link + `secret_file = "."`}, nil,
			"rouse: DIR/rouse.toml:3:1: component.secret_file: DIR: not a file\n"},
		{"empty secret", map[string]string{"rouse.toml": link + `secret_file = "s"`, "s": "\n"}, nil,
			"rouse: DIR/rouse.toml:3:1: component.secret_file: DIR/s: is empty\n"},
		{"two lines", map[string]string{"rouse.toml": link + `secret_file = "s"`, "s": "hunter2\nhunter3\n"}, nil,
			"rouse: DIR/rouse.toml:3:1: component.secret_file: DIR/s: holds more than one line\nhint: the secret alone, in one line\n"},
		{"large secret", map[string]string{"rouse.toml": link + `secret_file = "s"`, "s": strings.Repeat("x", maxSecret+1)}, nil,
			"rouse: DIR/rouse.toml:3:1: component.secret_file: DIR/s: larger than 4096 bytes\n"},
		{"secret in an open configuration", map[string]string{"rouse.toml": link + `secret = "hunter2"`}, map[string]fs.FileMode{"rouse.toml": 0o644},
			"rouse: DIR/rouse.toml:3:1: component.secret: the configuration is readable by everyone (mode 0644)\nhint: chmod 0600 DIR/rouse.toml, or move the secret into a file of its own: secret_file\n"},
		{"secret in a closed configuration", map[string]string{"rouse.toml": link + `secret = "hunter2"`}, nil, ""},
		{"credentials, authorities and a fault of value", map[string]string{"rouse.toml": fcm + "ca_file = \"ca.pem\"\n[rules]\ngrace = \"-1s\"\n", "a.json": "{}", "ca.pem": "x"}, map[string]fs.FileMode{"a.json": 0o604},
			"rouse: DIR/rouse.toml:4:1: app[0].credentials_file: readable by everyone (mode 0604)\nhint: chmod 0600 DIR/a.json\n" +
				"rouse: DIR/rouse.toml:5:1: app[0].ca_file: DIR/ca.pem: holds no certificate\nhint: certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE\n" +
				"rouse: DIR/rouse.toml:7:1: rules.grace: -1s is out of range\nhint: from \"0s\" (no wake waits) to \"10m\"\n"},
		{"no VAPID key", map[string]string{"rouse.toml": webpush}, nil,
			"rouse: DIR/rouse.toml:4:1: app[0].vapid_key_file: DIR/vapid.pem: no such file or directory\nhint: rouse vapid DIR/vapid.pem makes one\n"},
		{"VAPID key for everyone", map[string]string{"rouse.toml": webpush, "vapid.pem": "x"}, map[string]fs.FileMode{"vapid.pem": 0o644},
			"rouse: DIR/rouse.toml:4:1: app[0].vapid_key_file: readable by everyone (mode 0644)\nhint: chmod 0600 DIR/vapid.pem\n"},
		{"VAPID key", map[string]string{"rouse.toml": webpush, "vapid.pem": "x"}, nil, ""},
		{"node key", map[string]string{"rouse.toml": "", "rouse.key": "x"}, map[string]fs.FileMode{"rouse.key": 0o644},
			"rouse: DIR/rouse.toml: store.key_file: readable by everyone (mode 0644)\nhint: chmod 0600 DIR/rouse.key\n"},
		{"no configuration", nil, nil,
			"rouse: DIR/rouse.toml: no such file or directory\nhint: name another file with -c FILE or ROUSE_CONFIG\n"},
		{"large configuration", map[string]string{"rouse.toml": strings.Repeat("#", maxFile+1)}, nil,
			"rouse: DIR/rouse.toml: larger than 1048576 bytes\nhint: name another file with -c FILE or ROUSE_CONFIG\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := dir(t, tt.files, tt.modes)
			var out strings.Builder
			if _, err := Load(filepath.Join(d, "rouse.toml")); err != nil {
				Report(&out, "rouse", err)
			}
			if got := strings.ReplaceAll(out.String(), d, "DIR"); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if strings.Contains(out.String(), "hunter2") {
				t.Error("the secret is in the output")
			}
		})
	}
}

func TestPlace(t *testing.T) {
	c, err := Parse("rouse.toml", []byte(whole[:strings.Index(whole, "[[app]]\nname = \"chat-old\"")]))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"app[0].key_id":   "rouse.toml:17:1",
		"app[0].ca_file":  "rouse.toml:11:1", // not in the file: its table
		"rules.coalesce":  "rouse.toml",
		"component.hosts": "rouse.toml:6:1",
	} {
		if got := c.Place(key); got != want {
			t.Errorf("Place(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestErrorsAreFound(t *testing.T) {
	_, err := Parse("rouse.toml", []byte("[log]\nlevel = 1\nformat = 2\n"))
	var one *Error
	if !errors.As(err, &one) || one.Key != "log.level" || one.Line != 2 || one.Col != 1 {
		t.Errorf("got %+v", one)
	}
	var all Errors
	if !errors.As(err, &all) || len(all) != 2 || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v", err)
	}
	var out strings.Builder
	Report(&out, "rouse", errors.New("link: refused"))
	if out.String() != "rouse: link: refused\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestAuthorities(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	const app = "[[app]]\nname = \"a\"\nprovider = \"fcm\"\ncredentials_file = \"a.json\"\nca_file = \"ca.pem\"\n"
	d := dir(t, map[string]string{"rouse.toml": app, "a.json": "{}", "ca.pem": ca}, map[string]fs.FileMode{"ca.pem": 0o644})
	if _, err := Load(filepath.Join(d, "rouse.toml")); err != nil {
		t.Errorf("certificates need not be secret: %v", err)
	}
	os.Remove(filepath.Join(d, "ca.pem"))
	if _, err := Load(filepath.Join(d, "rouse.toml")); err == nil || !strings.Contains(err.Error(), "app[0].ca_file") {
		t.Errorf("got %v", err)
	}
}

func TestSlogLevel(t *testing.T) {
	f, _, ok := fieldAt("log.level")
	if !ok {
		t.Fatal("no log.level")
	}
	for _, name := range f.enum {
		var want slog.Level
		if err := want.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if got := (Log{Level: name}).SlogLevel(); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, tt := range []struct{ flag, env, there, want string }{
		{"a.toml", "b.toml", "rouse.toml", "a.toml"},
		{"", "b.toml", "rouse.toml", "b.toml"},
		{"", "", "rouse.toml /etc/rouse/rouse.toml", "rouse.toml"},
		{"", "", "/etc/rouse/rouse.toml", "/etc/rouse/rouse.toml"},
		{"", "", "", ""},
	} {
		got, err := Find(tt.flag, tt.env, func(p string) bool {
			for f := range strings.FieldsSeq(tt.there) {
				if f == p {
					return true
				}
			}
			return false
		})
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}
