package dirlab

import (
	"bytes"
	"context"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

//go:embed ipa.ldif
var schema389 []byte

// What Debian's 389-ds-base has that an instance is made of.
const (
	nsslapd    = "/usr/sbin/ns-slapd"
	templates  = "/usr/share/dirsrv/data/"
	configured = "/etc/dirsrv/config/"
)

// DS389 is a 389-DS: an instance of its own in a directory, as its template has it, with
// the plugins that FreeIPA switches on: Content Synchronization, MemberOf, Referential
// Integrity.
type DS389 struct {
	process
	dir, port string
}

// StartDS389 makes one in a directory, with the entries of an LDIF beside the tree.
func StartDS389(ctx context.Context, dir string, ldif []byte) (*DS389, error) {
	if _, err := os.Stat(nsslapd); err != nil {
		return nil, fmt.Errorf("%w: install the package 389-ds-base", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &DS389{process: process{name: "ns-slapd", url: "ldap://127.0.0.1:" + port, manager: "cn=Directory Manager"}, dir: dir, port: port}
	if err := s.configure(); err != nil {
		return nil, err
	}
	whole := "dn: " + Suffix + "\nobjectClass: domain\ndc: ipa\n" +
		"aci: (targetattr = \"*\")(version 3.0; acl \"containers\"; allow (search) userdn = \"ldap:///all\";)\n" +
		"aci: (targetattr != \"userPassword || krbPrincipalKey\")(version 3.0; acl \"notifier\"; allow (read, search, compare) userdn = \"ldap:///" + Notifier + "\";)\n" +
		strings.TrimPrefix(string(tree), "dn: dc=ipa,dc=test\nobjectClass: domain\ndc: ipa\n")
	whole = strings.Replace(whole, "userPassword: "+NotifierPass, "userPassword: "+NotifierPass+"\nnsSizeLimit: -1\nnsLookThroughLimit: -1\nnsTimeLimit: -1\nnsIdleTimeout: -1", 1)
	file := filepath.Join(dir, "ldif", "all.ldif")
	if err := os.WriteFile(file, append([]byte(whole+"\n"), ldif...), 0o644); err != nil {
		return nil, err
	}
	load := exec.CommandContext(ctx, nsslapd, "ldif2db", "-D", filepath.Join(dir, "config"), "-n", "userRoot", "-i", file)
	if out, err := load.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ldif2db: %w: %s", err, out)
	}
	if s.log, err = os.Create(filepath.Join(dir, "output")); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// configure writes what an instance needs.
func (s *DS389) configure() error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(s.dir, name) }
	for _, name := range []string{"config/schema", "db", "dbhome", "ldif", "bak", "run", "lock", "log", "tmp"} {
		if err := os.MkdirAll(in(name), 0o700); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(templates + "template-dse.ldif")
	if err != nil {
		return err
	}
	backend, err := os.ReadFile(templates + "template-suffix-db.ldif")
	if err != nil {
		return err
	}
	backend = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAll(backend, nil)
	backend = bytes.Replace(backend, []byte("nsslapd-suffix: "), []byte("nsslapd-cachememsize: 200000000\nnsslapd-suffix: "), 1) // or an import is slow
	dse := strings.NewReplacer(
		"%schema_dir%", in("config/schema"), "%lock_dir%", in("lock"), "%tmp_dir%", in("tmp"), "%cert_dir%", in("config"), "%ldif_dir%", in("ldif"), "%bak_dir%", in("bak"),
		"%run_dir%", in("run"), "%inst_dir%", s.dir, "%log_dir%", in("log"), "%config_dir%", in("config"), "%db_dir%", in("db"), "%db_home_dir%", in("dbhome"), "%db_lib%", "bdb",
		"%fqdn%", "localhost.localdomain", "%ds_port%", s.port, "%ds_user%", me.Username, "%rootdn%", s.manager, "%ds_passwd%", hashed(Password), "%ds_suffix%", Suffix, "%ds_bename%", "userRoot",
		"%ldapi_enabled%", "off", "%ldapi%", in("ldapi"), "%ldapi_autobind%", "off",
	).Replace(string(text) + "\n" + string(backend))
	dse = strings.Replace(dse, "nsslapd-port: ", "nsslapd-listenhost: 127.0.0.1\nnsslapd-syntaxcheck: on\nnsslapd-port: ", 1)
	dse = strings.Replace(dse, "nsslapd-mode: 600\n", "nsslapd-mode: 600\nnsslapd-cache-autosize: 2\nnsslapd-import-cache-autosize: 2\n", 1) // percent of the memory, and not half of it
	for plugin, more := range map[string]string{
		"Retro Changelog Plugin":              "nsslapd-attribute: nsuniqueid:targetUniqueId\nnsslapd-include-suffix: cn=dns," + Suffix + "\n", // as FreeIPA has it: nothing of users is in it
		"Content Synchronization":             "",
		"MemberOf Plugin":                     "",
		"referential integrity postoperation": "",
	} {
		var ok bool
		if dse, ok = switchOn(dse, plugin, more); !ok {
			return fmt.Errorf("%stemplate-dse.ldif has no %s", templates, plugin)
		}
	}
	dse = regexp.MustCompile(`\n{3,}`).ReplaceAllString(dse, "\n\n") // more than one empty line is an entry without a name
	if err := errors.Join(
		os.WriteFile(in("config/dse.ldif"), []byte(dse), 0o600),
		os.WriteFile(in("config/schema/98ipa.ldif"), schema389, 0o600),
		os.WriteFile(in("config/schema/99user.ldif"), []byte("dn: cn=schema\nobjectclass: top\nobjectclass: ldapSubentry\nobjectclass: subschema\ncn: schema\n"), 0o600),
	); err != nil {
		return err
	}
	for _, name := range []string{"certmap.conf", "slapd-collations.conf"} {
		b, err := os.ReadFile(configured + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(in("config/"+name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// hashed is a password as the configuration wants it.
func hashed(password string) string {
	const salt = "saltsalt" // it is no secret here
	sum := sha512.Sum512([]byte(password + salt))
	return "{SSHA512}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}

// switchOn has a plugin enabled, with more attributes.
func switchOn(dse, plugin, more string) (string, bool) {
	begin := strings.Index(dse, "dn: cn="+plugin+",cn=plugins,cn=config\n")
	if begin < 0 {
		return dse, false
	}
	end := begin + strings.Index(dse[begin:], "\n\n")
	entry := regexp.MustCompile(`(?mi)^nsslapd-pluginenabled: *off$`).ReplaceAllString(dse[begin:end], "nsslapd-pluginenabled: on")
	return dse[:begin] + entry + "\n" + strings.TrimSuffix(more, "\n") + dse[end:], strings.Contains(entry, "nsslapd-pluginenabled: on")
}

// Start starts it again.
func (s *DS389) Start(ctx context.Context) error {
	// After a crash it would take the dead process for a living one.
	lock := filepath.Join(s.dir, "lock")
	if err := errors.Join(os.RemoveAll(lock), os.Mkdir(lock, 0o700)); err != nil {
		return err
	}
	return s.start(ctx, nsslapd, "-d", "0", "-D", filepath.Join(s.dir, "config"), "-i", filepath.Join(s.dir, "run", "pid"))
}

// Errors is the end of what it complains of.
func (s *DS389) Errors() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log", "errors"))
	return string(text[max(0, len(text)-2000):])
}

// Bulk makes so many users, as an LDIF. Their passwords run out 29 to 89 days after a
// time, which is no news at that time.
func Bulk(n int, now time.Time) []byte {
	var b bytes.Buffer
	for i := range n {
		number := fmt.Sprint(10_000 + i)
		b.WriteString(strings.NewReplacer("uidNumber: 1000", "uidNumber: "+number, "gidNumber: 1000", "gidNumber: "+number).
			Replace(Person(fmt.Sprintf("u%05d", i), "krbLastPwdChange: 20260101000000Z", "krbPasswordExpiration: "+now.AddDate(0, 0, 29+i%61).UTC().Format("20060102150405Z"))))
	}
	return b.Bytes()
}
