package dirlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Realm is the one of a KDC.
const Realm = "ROUSE.TEST"

// KDC is an MIT Kerberos server with a realm of its own.
type KDC struct {
	dir  string
	addr string
	cmd  *exec.Cmd
	end  chan error
}

// StartKDC makes one in a directory, with the key of a directory on localhost, and that
// of rouse/localhost.
func StartKDC(ctx context.Context, dir string) (*KDC, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &KDC{dir: dir, addr: l.Addr().String()}
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(l.Close(),
		os.WriteFile(k.Conf(), fmt.Appendf(nil, "[libdefaults]\ndefault_realm = %[1]s\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\ndns_canonicalize_hostname = false\nudp_preference_limit = 1\n"+
			"[realms]\n%[1]s = {\nkdc = %[2]s\n}\n[domain_realm]\nlocalhost = %[1]s\n", Realm, k.addr), 0o600),
		os.WriteFile(in("kdc.conf"), fmt.Appendf(nil, "[kdcdefaults]\nkdc_listen = %[2]s\nkdc_tcp_listen = %[2]s\n[realms]\n%[1]s = {\ndatabase_name = %[3]s/principal\nkey_stash_file = %[3]s/stash\nacl_file = %[3]s/acl\n"+
			"supported_enctypes = aes256-cts-hmac-sha1-96:normal\nmax_life = 1h\n}\n", Realm, k.addr, dir), 0o600),
	); err != nil {
		return nil, err
	}
	run := func(program string, args ...string) error {
		c := exec.CommandContext(ctx, program, args...)
		c.Env = append(os.Environ(), k.Env()...)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", program, err, out)
		}
		return nil
	}
	if err := errors.Join(
		run("/usr/sbin/kdb5_util", "create", "-s", "-r", Realm, "-P", "master"),
		run("/usr/sbin/kadmin.local", "-r", Realm, "-q", "addprinc -randkey ldap/localhost"),
		run("/usr/sbin/kadmin.local", "-r", Realm, "-q", "ktadd -k "+in("ldap.keytab")+" ldap/localhost"),
		run("/usr/sbin/kadmin.local", "-r", Realm, "-q", "addprinc -randkey rouse/localhost"),
		run("/usr/sbin/kadmin.local", "-r", Realm, "-q", "ktadd -k "+k.Keytab()+" rouse/localhost"),
	); err != nil {
		return nil, err
	}
	log, err := os.Create(in("kdc.log"))
	if err != nil {
		return nil, err
	}
	k.cmd = exec.Command("/usr/sbin/krb5kdc", "-n", "-r", Realm)
	k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr = append(os.Environ(), k.Env()...), log, log
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	k.end = make(chan error, 1)
	go func() { k.end <- k.cmd.Wait() }()
	for {
		c, err := net.Dial("tcp", k.addr)
		if err == nil {
			return k, c.Close()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, k.Kill())
		case why := <-k.end:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("krb5kdc ended: %v: %s", why, strings.TrimSpace(string(text)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Env is the environment of those who use it.
func (k *KDC) Env() []string {
	return []string{"KRB5_CONFIG=" + k.Conf(), "KRB5_KDC_PROFILE=" + filepath.Join(k.dir, "kdc.conf"), "KRB5_KTNAME=" + filepath.Join(k.dir, "ldap.keytab"), "KRB5RCACHETYPE=none"}
}

// Conf is the krb5.conf of its clients.
func (k *KDC) Conf() string { return filepath.Join(k.dir, "krb5.conf") }

// Keytab has the key of Principal.
func (k *KDC) Keytab() string { return filepath.Join(k.dir, "rouse.keytab") }

// Principal is who may look.
func (k *KDC) Principal() string { return "rouse/localhost@" + Realm }

// Kill ends it.
func (k *KDC) Kill() error {
	err := k.cmd.Process.Kill()
	<-k.end
	return err
}
