package lab

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// EjabberdOptions say what kind of ejabberd is wanted. Only Dir has no default.
type EjabberdOptions struct {
	Dir   string            // everything that ejabberd reads and writes; made if it is not there
	Ebin  string            // where CompileEjabberd has put the modules; "": they are compiled into Dir
	Host  string            // the virtual host; "example.test"
	Users map[string]string // local part and password of the accounts that there are at the first start

	Node NodeOptions // how it takes part in a cluster; StartCluster sets it

	Rouse      Component   // the component that mod_rouse reports to; {"push." + Host, "secret"}
	NoModule   bool        // do not load mod_rouse
	Components []Component // further components, such as push services of others
	Rooms      string      // a chat room service with this address; "": none

	NoArchive     bool          // without XEP-0313
	AckDelay      time.Duration // mod_rouse's ack_delay; 30 s
	AckTimeout    time.Duration // mod_stream_mgmt's ack_timeout; 60 s
	ResumeTimeout time.Duration // mod_stream_mgmt's resume_timeout; 300 s
	LogLevel      string        // "info"

	S2S bool // it may connect to other servers

	Modules map[string]string // more options by module, as YAML lines; a module that is named here is loaded
	Global  string            // more lines for the top level of the configuration

	Further []EjabberdOptions // further virtual hosts: of these counts what can differ between hosts
}

func (o EjabberdOptions) withDefaults() EjabberdOptions {
	o.Host = cmp.Or(o.Host, "example.test")
	o.Rouse.JID = cmp.Or(o.Rouse.JID, "push."+o.Host)
	o.Rouse.Secret = cmp.Or(o.Rouse.Secret, "secret")
	o.LogLevel = cmp.Or(o.LogLevel, "info")
	o.AckDelay = cmp.Or(o.AckDelay, 30*time.Second)
	o.AckTimeout = cmp.Or(o.AckTimeout, 60*time.Second)
	o.ResumeTimeout = cmp.Or(o.ResumeTimeout, 300*time.Second)
	further := make([]EjabberdOptions, len(o.Further))
	for i, f := range o.Further {
		further[i] = f.withDefaults()
	}
	o.Further = further
	return o
}

// yaml quotes s as a YAML string.
func yaml(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// modules gives the options of each module of a host, as YAML lines.
func (o EjabberdOptions) modules() map[string]string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
	modules := map[string]string{
		"mod_adhoc": "", "mod_admin_extra": "", "mod_carboncopy": "", "mod_client_state": "", "mod_disco": "", "mod_lab": "",
		"mod_offline": "", "mod_ping": "", "mod_push": "", "mod_push_keepalive": "", "mod_roster": "",
		"mod_stream_mgmt": "ack_timeout: " + ms(o.AckTimeout) + "\nresume_timeout: " + ms(o.ResumeTimeout),
	}
	if !o.NoArchive {
		modules["mod_mam"] = "default: always"
	}
	if o.Rooms != "" {
		modules["mod_muc"] = "hosts: [" + yaml(o.Rooms) + "]"
	}
	if !o.NoModule {
		modules["mod_rouse"] = "component: " + yaml(o.Rouse.JID) + "\nack_delay: " + ms(o.AckDelay)
	}
	for name, lines := range o.Modules {
		modules[name] = strings.TrimPrefix(modules[name]+"\n"+lines, "\n")
	}
	return modules
}

// config is ejabberd.yml. Whatever would leave the machine is off.
func (e *Ejabberd) config() string {
	var hosts []string
	components := e.opt.Components
	for _, o := range e.hosts() {
		hosts = append(hosts, yaml(o.Host))
		components = append(slices.Clone(components), o.Rouse)
	}

	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("hosts: [%s]", strings.Join(hosts, ", "))
	line("loglevel: %s", e.opt.LogLevel)
	line("log_rotate_count: 0")
	line("auth_method: internal\nauth_password_format: plain")
	line("certfiles: []")
	if !e.opt.S2S {
		line("s2s_access: none")
	}
	line("shaper_rules: {max_user_sessions: 10}") // as in Debian's own configuration
	line("listen:")
	line("  - {port: %d, ip: \"127.0.0.1\", module: ejabberd_c2s, max_stanza_size: 262144, shaper: none, access: all, starttls: false}", e.c2s)
	line("  - {port: %d, ip: \"127.0.0.1\", module: ejabberd_http, request_handlers: {/api: mod_http_api, /ws: ejabberd_http_ws}}", e.http)
	line("  - port: %d\n    ip: \"127.0.0.1\"\n    module: ejabberd_service\n    access: all\n    shaper: none\n    global_routes: false\n    hosts:", e.component)
	for _, c := range components {
		line("      %s: {password: %s}", yaml(c.JID), yaml(c.Secret))
	}
	line("api_permissions:\n  lab: {from: [mod_http_api], who: [{ip: 127.0.0.1/8}], what: \"*\"}")
	b.WriteString(strings.TrimRight(e.opt.Global, "\n") + "\n")
	line("host_config:")
	for _, o := range e.hosts() {
		line("  %s:\n    modules:", yaml(o.Host))
		modules := o.modules()
		for _, name := range slices.Sorted(maps.Keys(modules)) {
			if modules[name] == "" {
				line("      %s: {}", name)
				continue
			}
			line("      %s:\n        %s", name, strings.ReplaceAll(modules[name], "\n", "\n        "))
		}
	}
	return b.String()
}
