package config

import (
	"log/slog"
	"time"
)

// Config is a whole file, checked, with every default filled in and every path
// made relative to the directory of the file.
//
// The tags say all that reading needs: the name in the file, the default, the
// words allowed, and "path" for what is relative to the file.
type Config struct {
	Component *Component `toml:"component"` // nil: no link to an XMPP server
	Store     Store      `toml:"store"`
	Apps      []App      `toml:"app"`
	Push      Push       `toml:"push"`
	Relay     Relay      `toml:"relay"`
	Directory *Directory `toml:"directory"` // nil: none is followed
	Notices   Notices    `toml:"notices"`
	Rooms     []Room     `toml:"room"`
	Execs     []Exec     `toml:"exec"`
	Rules     Rules      `toml:"rules"`
	Web       Web        `toml:"web"`
	Log       Log        `toml:"log"`

	source *source
}

// Component is the link to the XMPP server (XEP-0114).
type Component struct {
	JID        string   `toml:"jid"`                              // a domain (RFC 7622 §3.2), in normal form
	Address    []string `toml:"address" default:"127.0.0.1:5347"` // host:port, tried in turn
	Secret     Secret   `toml:"secret"`                           // of the handshake, also when it came from SecretFile
	SecretFile string   `toml:"secret_file,path"`
	Hosts      []string `toml:"hosts"`   // domains in normal form
	Contact    []string `toml:"contact"` // URIs (XEP-0157)
	Admins     []string `toml:"admins"`  // bare JIDs in normal form
}

// App is one app of one provider in one environment.
type App struct {
	Name     string `toml:"name"`
	Provider string `toml:"provider" enum:"apns,fcm,webpush"`
	Default  bool   `toml:"default"`
	Endpoint string `toml:"endpoint"` // empty: the provider's own
	CAFile   string `toml:"ca_file,path"`
	Rate     int    `toml:"rate"` // wakes in a second; 0: no limit
	Profile  string `toml:"profile" enum:"conversations,monal,siskin,snikket,mongoose,plain" default:"conversations"`

	// Which clients mean this app
	TigaseProvider string   `toml:"tigase_provider"`
	FpushModules   []string `toml:"fpush_modules"`
	Mongoose       bool     `toml:"mongoose"`
	Content        bool     `toml:"content"` // its devices are told who wrote what, where that is known
	Once           bool     `toml:"once"`    // its devices do not connect when they are woken
	Alerts         bool     `toml:"alerts"`  // its devices show notices of people who want that

	// APNs
	Topic           string `toml:"topic"`
	Environment     string `toml:"environment" enum:"production,sandbox" default:"production"`
	KeyFile         string `toml:"key_file,path"`
	KeyID           string `toml:"key_id"`
	TeamID          string `toml:"team_id"`
	CertificateFile string `toml:"certificate_file,path"`
	PasswordFile    string `toml:"password_file,path"`
	Password        Secret `toml:"-"` // what PasswordFile holds
	VoIP            bool   `toml:"voip"`
	OtherEndpoint   string `toml:"other_endpoint"` // of the other environment; empty: Apple's, or none with an Endpoint

	// FCM
	CredentialsFile string `toml:"credentials_file,path"`

	// Web Push
	VAPIDKeyFile string `toml:"vapid_key_file,path"`
	Contact      string `toml:"contact"` // mailto: or https:
	AllowPrivate bool   `toml:"allow_private"`
}

// The providers an App can name.
const (
	APNs    = "apns"
	FCM     = "fcm"
	WebPush = "webpush"
)

// The environments of APNs.
const (
	Production = "production"
	Sandbox    = "sandbox"
)

// Rules are the parts of the wake rules that people may want otherwise.
type Rules struct {
	Coalesce time.Duration `toml:"coalesce" default:"5s"`
	Grace    time.Duration `toml:"grace" default:"0s"`

	Repeat    []time.Duration `toml:"repeat" default:"5m,15m,1h,6h,24h"`
	RepeatFor time.Duration   `toml:"repeat_for" default:"336h"`

	Silents     int `toml:"silent_per_hour" default:"3"`
	Calls       int `toml:"calls_per_minute" default:"10"`
	SenderRate  int `toml:"sender_rate" default:"50"`
	SenderBurst int `toml:"sender_burst" default:"500"`

	Devices       int `toml:"devices_per_account" default:"128"`
	Registrations int `toml:"registrations_per_hour" default:"120"`
	NewDevices    int `toml:"new_devices_per_hour" default:"1000"`
}

// Web is the listener for pages, health and metrics.
type Web struct {
	Listen      string `toml:"listen" default:"127.0.0.1:8470"` // empty: none
	UnifiedPush string `toml:"unifiedpush"`                     // what reaches Listen from outside, without a slash at the end; empty: not offered
}

// Log is what is logged, and how.
type Log struct {
	Level  string `toml:"level" enum:"debug,info,warn,error" default:"info"`
	Format string `toml:"format" enum:"text,json" default:"text"`
}

// SlogLevel is Level as log/slog has it.
func (l Log) SlogLevel() slog.Level {
	switch l.Level {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// Place says where a setting stands, as "rouse.toml:12:1", so that later findings
// about its value can name it. A setting that is not in the file has the place of
// its table; without that it is the name of the file. Keys of apps are written
// "app[0].key_id", counted from 0 in the order of the file.
func (c *Config) Place(key string) string {
	if c.source == nil {
		return ""
	}
	return c.source.error(key, "", "").place()
}
