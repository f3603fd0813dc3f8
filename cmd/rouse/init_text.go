package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/template"
)

// The servers that init knows.
const (
	prosodyServer  = "prosody"
	ejabberdServer = "ejabberd"
)

// config is the file that a newcomer begins with.
func (n *newcomer) config() string {
	quoted := make([]string, len(n.hosts))
	for i, h := range n.hosts {
		quoted[i] = fmt.Sprintf("%q", h)
	}
	return fmt.Sprintf(`# rouse: every setting is described in docs/config.md. Proved by: rouse check

[component]
jid         = %q
address     = "127.0.0.1:5347"
secret_file = "component.secret"
hosts       = [%s]

[store]
url = "sqlite:%s"

# An app of your own (docs/apns.md, docs/fcm.md). Other people's apps need nothing here.
#
# [[app]]
# name             = "chat-android"
# provider         = "fcm"
# credentials_file = "service-account.json"
`, n.service, strings.Join(quoted, ", "), n.store())
}

// store is beside the configuration, but not in /etc: there nothing is written
// (FHS §3.7), and deploy/rouse.service lets nothing be.
func (n *newcomer) store() string {
	if n.dir == "/etc/rouse" {
		return "/var/lib/rouse/rouse.db"
	}
	return "rouse.db"
}

// tell prints what was written and what is to be done.
func (n *newcomer) tell(w io.Writer) error {
	text := prosodyText
	if n.server == ejabberdServer {
		text = ejabberdText
	}
	t, err := template.New("init").Parse(writtenText + text + systemdText)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		Dir, File, Service, Secret, User string
		Hosts                            []string
	}{n.dir, filepath.Join(n.dir, "rouse.toml"), n.service, n.secret, n.user, n.hosts})
}

const writtenText = `Written to {{.Dir}}{{if .User}}, for the user {{.User}} alone{{end}}:
  rouse.toml        the configuration
  component.secret  what rouse and the XMPP server share
  rouse.key         the key of the addresses that devices get: keep a copy, apart from the store
`

const prosodyText = `
In prosody.cfg.lua, with mod_rouse (servers/prosody) in a directory of plugin_paths, and
"smacks", "csi_simple", "mam", "carbons" and "cloud_notify" in modules_enabled:
{{range .Hosts}}
    VirtualHost "{{.}}"
        modules_enabled = { "rouse" } -- beside the ones of all hosts
        rouse_component = "{{$.Service}}"
{{end}}
    Component "{{.Service}}"
        component_secret = "{{.Secret}}"

Then:
    prosodyctl check config
    systemctl restart prosody
`

const ejabberdText = `
In ejabberd.yml, with mod_rouse (servers/ejabberd) installed:

    listen:
      -
        port: 5347
        ip: "127.0.0.1"
        module: ejabberd_service
        access: all
        shaper: none
        global_routes: false
        hosts:
          "{{.Service}}":
            password: "{{.Secret}}"

    modules:
      mod_push: {}
      mod_push_keepalive: {}
      mod_stream_mgmt: {}
      mod_client_state: {}
      mod_carboncopy: {}
      mod_mam: {}
      mod_offline: {}
      mod_rouse:
        component: "{{.Service}}"

Both lists are there already: put in what is missing. Then:
    ejabberdctl reload_config
`

const systemdText = `
For systemd, with the program in /usr/local/bin:
    install -m 0644 deploy/rouse.service /etc/systemd/system/rouse.service
{{- if ne .Dir "/etc/rouse"}}
    install -d /etc/systemd/system/rouse.service.d
    printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/rouse serve -c {{.File}}\nReadWritePaths={{.Dir}}\n{{if .User}}User={{.User}}\n{{end}}' >/etc/systemd/system/rouse.service.d/place.conf
{{- end}}
    systemctl daemon-reload
    systemctl enable --now rouse

Before that, see whether all is well:
    {{if .User}}runuser -u {{.User}} -- {{end}}rouse check -c {{.File}}
`
