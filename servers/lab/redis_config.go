package lab

import (
	"fmt"
	"strings"
)

// config is redis.conf; later lines win, so the caller's come last.
func (r *Redis) config() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("bind 127.0.0.1")
	line("dir %s", quote(r.opt.Dir))
	line("logfile %s", quote(r.LogFile()))
	if r.opt.TLS {
		line("port 0\ntls-port %d", r.port)
		line("tls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s", quote(r.path("cert.pem")), quote(r.path("key.pem")), quote(r.CAFile()))
		line("tls-auth-clients no\ntls-replication yes\ntls-cluster yes")
	} else {
		line("port %d", r.port)
	}
	if r.opt.Password != "" {
		line("requirepass %s", quote(r.opt.Password))
	}
	for _, u := range r.opt.Users {
		line("user %s on %s %s", u.Name, quote(">"+u.Password), u.Rules)
	}
	if r.role == sentinel {
		for _, s := range append(r.watch, r.opt.Config...) {
			line("%s", s)
		}
		return b.String()
	}
	line(`save ""`)
	if r.opt.Persist != "" {
		line("appendonly yes\nappendfsync %s", r.opt.Persist)
	}
	if r.opt.MaxMemoryPolicy != "" {
		line("maxmemory-policy %s", r.opt.MaxMemoryPolicy)
	}
	// A master waits 5 s for further replicas before it begins to send.
	line("repl-diskless-sync-delay 0")
	if r.opt.Password != "" {
		line("masterauth %s", quote(r.opt.Password)) // also a master becomes a replica after a failover
	}
	if m := r.opt.ReplicaOf; m != nil {
		line("replicaof 127.0.0.1 %d", m.port)
	}
	if r.role == clusterNode {
		line("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port %d", r.bus)
		line("cluster-node-timeout 1000\ncluster-allow-replica-migration no")
	}
	for _, s := range r.opt.Config {
		line("%s", s)
	}
	return b.String()
}

// quote makes one word of s for redis.conf.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
