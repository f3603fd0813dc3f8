package dirlab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed ipa.schema
var schema []byte

//go:embed tree.ldif
var tree []byte

// The tree that a directory here begins with, and who may do what.
const (
	Suffix       = "dc=ipa,dc=test"
	Users        = "cn=users,cn=accounts," + Suffix
	Groups       = "cn=groups,cn=accounts," + Suffix
	Manager      = "cn=Manager," + Suffix
	Notifier     = "uid=notifier,cn=sysaccounts,cn=etc," + Suffix
	Password     = "Secret.123" // Manager's
	NotifierPass = "Notify.123"
)

const slapdConf = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include %[1]s/ipa.schema
pidfile %[1]s/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload memberof
moduleload refint
moduleload ppolicy
serverID 1
%[2]ssizelimit unlimited
database config
rootdn "cn=config"
database mdb
maxsize 1073741824
suffix "dc=ipa,dc=test"
rootdn "cn=Manager,dc=ipa,dc=test"
rootpw Secret.123
directory %[1]s/db
index objectClass eq
index entryUUID,entryCSN eq
index uid,member eq
limits dn.exact="uid=notifier,cn=sysaccounts,cn=etc,dc=ipa,dc=test" size=unlimited time=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="uid=notifier,cn=sysaccounts,cn=etc,dc=ipa,dc=test" read by users read
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
memberof-dangling ignore
overlay refint
refint_attributes member memberOf
overlay ppolicy
overlay syncprov
syncprov-checkpoint 100 10
syncprov-sessionlog 10000
`

// Slapd is an OpenLDAP server.
type Slapd struct {
	process
	dir     string
	options Options
	tls     string
}

// LDAPS is where it is by TLS.
func (s *Slapd) LDAPS() string { return s.tls }

// LDAPI is where it is on this machine.
func (s *Slapd) LDAPI() string { return "ldapi://" + filepath.Join(s.dir, "ldapi") }

// Options are ways to a slapd beside a plain connection.
type Options struct {
	Certificate, Key string // files, for StartTLS and ldaps
	KDC              *KDC   // for GSSAPI
}

// config is what slapd.conf has for them. Whoever comes by ldapi as the owner of this
// process, or with a key of the KDC, is the notifier.
func (o Options) config() string {
	text := fmt.Sprintf("authz-regexp gidNumber=.*,cn=peercred,cn=external,cn=auth %[1]s\nauthz-regexp uid=rouse/.*,cn=gssapi,cn=auth %[1]s\n", Notifier)
	if o.Certificate != "" {
		text += fmt.Sprintf("TLSCertificateFile %s\nTLSCertificateKeyFile %s\n", o.Certificate, o.Key)
	}
	if o.KDC != nil {
		text += "sasl-host localhost\nsasl-realm " + Realm + "\n"
	}
	return text
}

// StartSlapd makes one in a directory, with the entries of an LDIF beside the tree.
func StartSlapd(ctx context.Context, dir string, ldif []byte) (*Slapd, error) {
	return StartSlapdWith(ctx, dir, ldif, Options{})
}

// StartSlapdWith is StartSlapd with more ways to it.
func StartSlapdWith(ctx context.Context, dir string, ldif []byte, o Options) (*Slapd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Slapd{options: o, tls: "ldaps://" + tls.Addr().String(), process: process{name: "slapd", url: "ldap://" + l.Addr().String(), manager: Manager}, dir: dir}
	err = errors.Join(l.Close(), tls.Close(), os.MkdirAll(filepath.Join(dir, "db"), 0o700),
		os.WriteFile(filepath.Join(dir, "ipa.schema"), schema, 0o600),
		os.WriteFile(filepath.Join(dir, "slapd.conf"), fmt.Appendf(nil, slapdConf, dir, o.config()), 0o600))
	if err != nil {
		return nil, err
	}
	add := exec.CommandContext(ctx, "/usr/sbin/slapadd", "-q", "-f", filepath.Join(dir, "slapd.conf"))
	add.Stdin = bytes.NewReader(append(append(bytes.Clone(tree), '\n'), ldif...))
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("slapadd: %w: %s", err, out)
	}
	if s.log, err = os.Create(filepath.Join(dir, "slapd.log")); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// Start starts it again.
func (s *Slapd) Start(ctx context.Context) error {
	urls := s.url + " ldapi://" + url.QueryEscape(filepath.Join(s.dir, "ldapi"))
	if s.options.Certificate != "" {
		urls += " " + s.tls
	}
	if s.options.KDC != nil {
		s.env = s.options.KDC.Env()
	}
	return s.start(ctx, "/usr/sbin/slapd", "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", urls)
}

// Person is an entry of a user, as an LDIF, with more lines.
func Person(uid string, lines ...string) string {
	return fmt.Sprintf("dn: uid=%[1]s,%[2]s\nobjectClass: top\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: krbPrincipalAux\nobjectClass: ipaObject\n"+
		"uid: %[1]s\ncn: %[1]s\nsn: %[1]s\nuidNumber: 1000\ngidNumber: 1000\nhomeDirectory: /home/%[1]s\nmail: %[1]s@example.test\nipaUniqueID: id-%[1]s\n%[3]s\n", uid, Users,
		strings.Join(append(lines, ""), "\n"))
}
