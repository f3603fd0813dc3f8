package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Component is a component that Prosody lets in (XEP-0114).
type Component struct {
	JID    string
	Secret string
}

// Options say what kind of Prosody is wanted. Only Dir has no default.
type Options struct {
	Dir   string            // everything that Prosody reads and writes; made if it is not there
	Host  string            // the virtual host; "example.test"
	Users map[string]string // local part and password of the accounts that there are at the start

	Rouse      Component   // the component that mod_rouse reports to; {"push." + Host, "secret"}
	NoModule   bool        // do not load mod_rouse
	Components []Component // further components, such as push services of others
	Rooms      string      // a chat room service with this address; "": none
	WebSocket  bool        // lets clients in by WebSocket too

	Storage     string        // Prosody's storage driver for everything but accounts: "internal" (files) or "sql" (SQLite)
	NoArchive   bool          // without XEP-0313
	AckDelay    time.Duration // smacks_max_ack_delay, whole seconds; Prosody's default is 30 s
	Hibernation time.Duration // smacks_hibernation_time, whole seconds; Prosody's default is 600 s
	LogLevel    string        // "debug"

	HostLua   string // more lines for the virtual host's section
	RouseLua  string // more lines for the section of the component Rouse
	GlobalLua string // more lines for the global section
}

func (o Options) withDefaults() Options {
	o.Host = cmp.Or(o.Host, "example.test")
	o.Rouse.JID = cmp.Or(o.Rouse.JID, "push."+o.Host)
	o.Rouse.Secret = cmp.Or(o.Rouse.Secret, "secret")
	o.Storage = cmp.Or(o.Storage, "internal")
	o.LogLevel = cmp.Or(o.LogLevel, "debug")
	o.AckDelay = cmp.Or(o.AckDelay, 30*time.Second)
	o.Hibernation = cmp.Or(o.Hibernation, 600*time.Second)
	return o
}

// lua quotes s as a Lua string.
func lua(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// config is prosody.cfg.lua. Whatever would leave the machine is off.
func (p *Prosody) config() string {
	o := p.opt
	modules := []string{"roster", "saslauth", "disco", "ping", "blocklist", "pep", "carbons", "offline",
		"smacks", "csi", "csi_simple", "cloud_notify", "admin_socket", "admin_shell", "user_account_management"}
	if !o.NoArchive {
		modules = append(modules, "mam")
	}
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s = %s\n", name, value) }
	set("run_as_root", fmt.Sprint(asRoot()))
	set("pidfile", lua(p.path("prosody.pid")))
	set("data_path", lua(p.path("data")))
	set("certificates", lua(p.path("certs")))
	set("admin_socket", lua(p.socket))
	set("plugin_paths", "{ "+lua(p.path("modules"))+" }")
	set("log", "{ { levels = { min = "+lua(o.LogLevel)+" }, to = \"file\", filename = "+lua(p.path("prosody.log"))+" } }")
	set("authentication", `"internal_plain"`)
	set("default_storage", lua(o.Storage))
	set("storage", `{ accounts = "internal" }`)
	set("sql", `{ driver = "SQLite3", database = "prosody.sqlite" }`)
	set("interfaces", `{ "127.0.0.1" }`)
	set("component_interfaces", `{ "127.0.0.1" }`)
	set("c2s_ports", fmt.Sprintf("{ %d }", p.c2s))
	set("component_ports", fmt.Sprintf("{ %d }", p.component))
	if o.WebSocket {
		modules = append(modules, "websocket")
		set("http_ports", fmt.Sprintf("{ %d }", p.http))
		set("http_interfaces", `{ "127.0.0.1" }`)
		set("https_ports", "{}")
		set("consider_websocket_secure", "true")
	}
	set("c2s_direct_tls_ports", "{}")
	set("modules_disabled", `{ "s2s", "tls" }`)
	set("c2s_require_encryption", "false")
	set("allow_unencrypted_plain_auth", "true")
	set("muc_room_locking", "false")
	set("smacks_max_ack_delay", fmt.Sprint(int(o.AckDelay/time.Second)))
	set("smacks_hibernation_time", fmt.Sprint(int(o.Hibernation/time.Second)))
	for i, m := range modules {
		modules[i] = lua(m)
	}
	set("modules_enabled", "{ "+strings.Join(modules, ", ")+" }")
	b.WriteString(o.GlobalLua + "\n")

	fmt.Fprintf(&b, "VirtualHost %s\n", lua(o.Host))
	if !o.NoModule {
		set("modules_enabled", `{ "rouse" }`)
		set("rouse_component", lua(o.Rouse.JID))
	}
	b.WriteString(o.HostLua + "\n")
	for i, c := range slices.Concat([]Component{o.Rouse}, o.Components) {
		fmt.Fprintf(&b, "Component %s\ncomponent_secret = %s\n", lua(c.JID), lua(c.Secret))
		if i == 0 {
			b.WriteString(o.RouseLua + "\n")
		}
	}
	if o.Rooms != "" {
		fmt.Fprintf(&b, "Component %s \"muc\"\n", lua(o.Rooms))
	}
	return b.String()
}
