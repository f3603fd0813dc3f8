package follow

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/go-ldap/ldap/v3/gssapi"
)

// Bind authenticates a connection to a server of that name.
type Bind func(ctx context.Context, c *ldap.Conn, host string) error

// Simple binds with a DN and a password (RFC 4513 §5.1.3); without a DN anonymously.
func Simple(dn, password string) Bind {
	return func(_ context.Context, c *ldap.Conn, _ string) error {
		if dn == "" {
			return c.UnauthenticatedBind("")
		}
		return c.Bind(dn, password)
	}
}

// External binds as who the connection is: the owner of this process by ldapi, or of a
// certificate (RFC 4513 §5.2.3).
func External() Bind {
	return func(_ context.Context, c *ldap.Conn, _ string) error { return c.ExternalBind() }
}

// Kerberos binds by SASL GSSAPI (RFC 4752) as a principal, like rouse/host@REALM, whose
// key a keytab has; conf is krb5.conf. The server has to be called by the name that its
// own key is for.
func Kerberos(principal, keytab, conf string) Bind {
	return func(_ context.Context, c *ldap.Conn, host string) error {
		name, realm, _ := strings.Cut(principal, "@")
		made, err := gssapi.NewClientWithKeytab(name, realm, keytab, conf)
		if err != nil {
			return fmt.Errorf("kerberos: %w", err)
		}
		defer made.Close()
		client := kerberos{made}
		if err := c.GSSAPIBind(client, "ldap/"+host, ""); err != nil {
			return fmt.Errorf("kerberos, as %s with ldap/%s: %w", principal, host, err)
		}
		return nil
	}
}

// kerberos reads the last token of a server as RFC 4121 §4.2.4 has it. The client that
// it wraps knows only the order in which Active Directory sends it, checksum first.
type kerberos struct{ *gssapi.Client }

// NegotiateSaslAuth is part of ldap.GSSAPIClient.
func (k kerberos) NegotiateSaslAuth(token []byte, authzid string) ([]byte, error) {
	return k.Client.NegotiateSaslAuth(checksumFirst(token), authzid)
}

// checksumFirst turns back what was rotated (RRC) of a wrap token without
// confidentiality, and puts the checksum, whose length is EC, before what it is of.
func checksumFirst(token []byte) []byte {
	const header = 16
	if len(token) < header {
		return token
	}
	rest := token[header:]
	ec, rrc := int(binary.BigEndian.Uint16(token[4:])), int(binary.BigEndian.Uint16(token[6:]))
	if len(rest) == 0 || ec > len(rest) {
		return token
	}
	rrc %= len(rest)
	straight := slices.Concat(rest[rrc:], rest[:rrc])
	of := len(straight) - ec
	return slices.Concat(token[:header], straight[of:], straight[:of])
}

// connect dials, and begins TLS where it is wanted; host is what the server is called.
func connect(server string, cfg *Config) (c *ldap.Conn, host string, err error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, "", err
	}
	host = u.Hostname()
	options := []ldap.DialOpt{ldap.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second})}
	if cfg.TLS != nil {
		options = append(options, ldap.DialWithTLSConfig(cfg.TLS))
	}
	if c, err = ldap.DialURL(server, options...); err != nil {
		return nil, host, err
	}
	if cfg.StartTLS && u.Scheme == "ldap" {
		secure := cfg.TLS.Clone()
		secure.ServerName = host
		if err := c.StartTLS(secure); err != nil {
			c.Close()
			return nil, host, fmt.Errorf("StartTLS: %w", err)
		}
	}
	return c, host, nil
}
